"""Settings: read once from the environment (DIBS_…), then frozen."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import unquote, urlsplit

from pydantic import Field, PostgresDsn, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from dibs.oidc import address_problem
from dibs.roles import roles_of
from domain.people import Role
from domain.webhooks import url_problem
from gql.trusted import BadFolder, trusted_documents
from persistence.bell_backends import ADDRESSES
from services.credentials import SECRET_LENGTH_MIN
from workers.smtp import mail_server, sender_address


class Settings(BaseSettings):
    """What can be set. Every field is an environment variable, such as DIBS_DATABASE_URL."""

    model_config = SettingsConfigDict(env_prefix="DIBS_", env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: SecretStr | None = Field(None, description="Your PostgreSQL; without it, an embedded one runs.")
    listen_url: SecretStr | None = Field(
        None, description="The same database without a pooler between, for the bell and for every command but serving."
    )
    behind_pooler: bool = Field(False, description="DIBS_DATABASE_URL leads through a pooler in transaction mode.")
    data: Path = Field(Path(".dibs"), description="Where the embedded PostgreSQL keeps its files.")
    admin_key: SecretStr | None = Field(None, description="The administrator's API key, 32 characters or more.")
    bell_url: SecretStr | None = Field(
        None, description="memory://, postgres://… or redis://…; the database itself if absent."
    )
    host: str = Field("127.0.0.1", description="The address to serve on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to serve on; 0 takes a free one.")
    public_url: str | None = Field(
        None,
        description="Where customers reach this server, such as https://orders.shop.example; without it there are no "
        "tracking links.",
    )
    explorer: bool = Field(False, description="Serve the GraphQL explorer at GET /graphql.")
    run_waiting: bool = Field(True, description="Run the orders that wait for stock when it becomes available.")
    webhook_allow_loopback: bool = Field(False, description="Webhooks may go to this machine, also by http://.")
    smtp_allow_loopback: bool = Field(False, description="smtp:// to this machine needs no TLS.")
    smtp_url: SecretStr | None = Field(
        None,
        description="The mail server: smtps://user:password@host:465, or smtp://…:587 for STARTTLS. Without it no mail "
        "is written.",
    )
    mail_from: str | None = Field(
        None, validate_default=True, description="Who mails come from, such as Shop <orders@shop.example>."
    )
    carrier_allow_loopback: bool = Field(False, description="Carriers may be on this machine, also by http://.")
    carrier_easypost_url: str | None = Field(
        None, description="A carrier API in the shape of EasyPost's, such as https://api.easypost.com/v2."
    )
    carrier_easypost_key: SecretStr | None = Field(None, validate_default=True, description="The key to it.")
    oidc_issuer: str | None = Field(
        None, description="The OpenID Connect issuer whose tokens people come with, such as https://login.shop.example."
    )
    oidc_audience: str | None = Field(None, description="What the issuer calls this API: the `aud` of its tokens.")
    oidc_roles: Annotated[Mapping[str, Role] | None, NoDecode] = Field(
        None,
        description='What roles give, as JSON: {"picker": {"scopes": ["fulfillment:pick"], "locations": ["LEEDS"]}}.',
    )
    oidc_roles_claim: str = Field("roles", description="Where tokens say the roles; deeper with dots between.")
    oidc_name_claim: str = Field("sub", description="What people are called in the ledger, such as email.")
    oidc_allow_loopback: bool = Field(False, description="The issuer may be on this machine, also by http://.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Whose pages may ask from browsers, separated by commas; * is everybody, null a file."
    )
    cost_budget: int = Field(
        10_000_000,
        ge=0,
        le=10**12,
        description="Objects that a key may ask for a minute, with the list entries that it sends; 0 is no limit.",
    )
    trusted_documents: Path | None = Field(None, description="A folder; only the documents in it are executed.")
    suggestions: bool = Field(False, description="Whether errors may suggest names that exist.")
    event_retention_days: int = Field(90, ge=1, le=36_500, description="How long events are kept, at least.")
    pool_size: int = Field(10, ge=2, le=100, description="Connections to the database, at most.")
    metrics_host: str = Field("127.0.0.1", description="The address of the port for metrics.")
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Serve /metrics, /healthz and /readyz on a port of their own."
    )
    traces_url: str | None = Field(
        None, description="Where OpenTelemetry traces go: OTLP over HTTP, such as http://collector:4318/v1/traces."
    )
    traces_share: float = Field(1.0, ge=0, le=1, description="The share of requests that are traced.")
    allow_not_durable: bool = Field(
        False, description="Work on a database that may lose what it has acknowledged (fsync, synchronous_commit off)."
    )
    log_json: bool | None = Field(
        None, description="One JSON object a line (true) or text for people (false); by the terminal if absent."
    )
    log_access: bool = Field(True, description="A line in the log for each request.")

    @field_validator("database_url", "listen_url")
    @classmethod
    def _is_postgresql(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None or not value.get_secret_value().strip():
            return None
        try:
            PostgresDsn(value.get_secret_value())
        except ValueError:
            raise ValueError("must look like postgresql://user:password@host:5432/database") from None
        return value

    @field_validator("traces_url")
    @classmethod
    def _can_be_told(cls, value: str | None) -> str | None:
        if value is not None and urlsplit(value).scheme not in ("http", "https"):
            raise ValueError("must begin with http:// or https://")
        if value is not None and not find_spec("opentelemetry"):
            raise ValueError("needs OpenTelemetry: pip install --require-hashes -r requirements/tracing.txt")
        return value

    @field_validator("bell_url")
    @classmethod
    def _is_a_bell(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(ADDRESSES):
            raise ValueError(f"must begin with {', '.join(ADDRESSES[:-1])} or {ADDRESSES[-1]}")
        return value

    @field_validator("public_url")
    @classmethod
    def _is_where_customers_look(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value.rstrip("/"))
        plain = f"{parts.scheme}://{parts.netloc}{parts.path}"
        is_web = parts.scheme in ("https", "http") and parts.hostname and "@" not in parts.netloc
        if not is_web or plain != value.rstrip("/") or not value.isascii() or any(map(str.isspace, value)):
            raise ValueError("must look like https://orders.shop.example, without a question mark, a # or a user")
        return plain

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _are_origins(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        origins = tuple(one.strip().lower() for one in value.split(",") if one.strip())
        for one in origins:
            parts = urlsplit(one)
            if one not in ("*", "null") and one != f"{parts.scheme}://{parts.netloc}":
                raise ValueError(f"{one[:100]} is no origin: write https://shop.example, without a path")
        return origins

    @field_validator("trusted_documents")
    @classmethod
    def _holds_documents(cls, value: Path | None) -> Path | None:
        try:
            if value is not None:
                trusted_documents(value)
        except BadFolder as problem:
            raise ValueError(str(problem)) from None
        return value

    @field_validator("behind_pooler")
    @classmethod
    def _has_a_way_round(cls, value: bool, so_far: ValidationInfo) -> bool:
        if value and not so_far.data.get("listen_url"):
            raise ValueError("needs DIBS_LISTEN_URL: the bell and migrations cannot go through such a pooler")
        return value

    @property
    def direct_url(self) -> str | None:
        """Your PostgreSQL without a pooler between; None where an embedded one runs."""
        url = self.listen_url or self.database_url
        return url.get_secret_value() if self.database_url and url else None

    @property
    def secrets(self) -> set[str]:
        """What must never be shown, and what in it must not: the passwords of addresses."""
        found = {value.get_secret_value() for _, value in self if isinstance(value, SecretStr)}
        passwords = {password for value in found if (password := _password(value))}
        return found | passwords | {unquote(password) for password in passwords}

    @field_validator("admin_key")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SECRET_LENGTH_MIN:
            raise ValueError(f"must have at least {SECRET_LENGTH_MIN} characters")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_a_mail_server(cls, value: SecretStr | None, so_far: ValidationInfo) -> SecretStr | None:
        if value is not None:
            mail_server(value.get_secret_value(), allow_loopback=bool(so_far.data.get("smtp_allow_loopback")))
        return value

    @field_validator("mail_from")
    @classmethod
    def _is_somebody(cls, value: str | None, so_far: ValidationInfo) -> str | None:
        if value is None and so_far.data.get("smtp_url"):
            raise ValueError("must be set with DIBS_SMTP_URL: mails come from somebody")
        if value is not None:
            sender_address(value)
        return value

    @field_validator("oidc_roles", mode="before")
    @classmethod
    def _are_roles(cls, value: object) -> object:
        return roles_of(value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _knows_its_issuer(self) -> Self:
        if len({self.oidc_issuer is None, self.oidc_audience is None, not self.oidc_roles}) > 1:
            raise ValueError("DIBS_OIDC_ISSUER, DIBS_OIDC_AUDIENCE and DIBS_OIDC_ROLES must be set together")
        problem = self.oidc_issuer and address_problem(self.oidc_issuer, allow_loopback=self.oidc_allow_loopback)
        if problem:
            raise ValueError(f"DIBS_OIDC_ISSUER {problem}")
        return self

    @field_validator("carrier_easypost_url")
    @classmethod
    def _is_a_carrier(cls, value: str | None, so_far: ValidationInfo) -> str | None:
        problem = value and url_problem(value, allow_loopback=bool(so_far.data.get("carrier_allow_loopback")))
        if problem:
            raise ValueError(problem)
        return value

    @field_validator("carrier_easypost_key")
    @classmethod
    def _opens_a_carrier(cls, value: SecretStr | None, so_far: ValidationInfo) -> SecretStr | None:
        if (value is None) != (so_far.data.get("carrier_easypost_url") is None):
            raise ValueError("must be set together with DIBS_CARRIER_EASYPOST_URL")
        return value


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None
