# Every command sets itself up: a stamp in .venv says which lock it was installed from.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := bench carriers dibs docs documents domain gql migrations persistence proof services tests workers

.PHONY: help setup run test check audit sbom twins hammer chaos deep soak fuzz bench lock explorer clean

help:            ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

setup: .venv/.runtime  ## .venv with the locked runtime dependencies and the `dibs` command

run: .venv/.runtime    ## allocate a real day of orders on an embedded PostgreSQL and keep serving
	$(BIN)/dibs demo

test: .venv/.dev       ## the quick suite
	$(BIN)/python -m pytest -q -n auto --maxprocesses 4 --dist worksteal $(ARGS)

check: .venv/.dev      ## style, types, import rules, printed schema, known vulnerabilities where they can be asked for
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/dibs schema | diff -u gql/schema/schema.graphql - || { echo "the schema has changed: review it, then '$(BIN)/dibs schema > gql/schema/schema.graphql'"; exit 1; }
	$(BIN)/python -m proof.audit

audit: .venv/.dev      ## known vulnerabilities of what is locked
	$(BIN)/python -m proof.audit

sbom: .venv/.dev       ## what a release is made of (CycloneDX), to build/sbom.cdx.json
	$(BIN)/python docs/make_sbom.py

twins: .venv/.dev      ## put naive mistakes into a copy of the code, and see the tests catch them (minutes)
	$(BIN)/python -m proof.twins $(ARGS)

hammer: .venv/.dev     ## everything at once in several processes, and what breaks others at full size (minutes)
	$(BIN)/python -m proof.hammer $(ARGS)
	DIBS_PROOF=full $(BIN)/python -m pytest -q tests/acceptance/test_peers.py

chaos: .venv/.dev      ## kill -9 at named points, every fault of roads, nodes, disks and databases (a quarter of an hour)
	DIBS_PROOF=full $(BIN)/python -m pytest -q -m chaos $(ARGS)

deep: .venv/.dev       ## the random tests much deeper, and what grows with many requests (long)
	DIBS_PROOF=full $(BIN)/python -m pytest -q tests/gql/test_hostile.py -k ten_thousand
	DIBS_PROOF=full $(BIN)/python -m pytest -q tests/persistence/test_faults.py tests/services/test_state_machine.py tests/domain tests/acceptance/test_reconnecting.py $(ARGS)

soak: .venv/.dev       ## half of what a server can do, for 20 minutes, with a row a minute: nothing may grow (MINUTES=20)
	$(BIN)/python -m proof.soak --minutes $(or $(MINUTES),20) $(ARGS)

fuzz: .venv/.dev       ## schemathesis against a running server, with whatever the schema allows (needs schemathesis on the PATH)
	$(BIN)/python -m proof.fuzz $(ARGS)

bench: .venv/.dev      ## how fast it is, against floors measured beside it (MEASURES="hot flash": some of it)
	$(BIN)/python -m bench $(MEASURES)

lock:                  ## resolve the dependencies anew (needs uv)
	uv pip compile pyproject.toml --group build $(LOCK_FLAGS) -o requirements/runtime.txt
	uv pip compile pyproject.toml --extra tracing -c requirements/runtime.txt $(LOCK_FLAGS) -o requirements/tracing.txt
	uv pip compile pyproject.toml --group build --group dev -c requirements/runtime.txt $(LOCK_FLAGS) -o requirements/dev.txt
LOCK_FLAGS := -q --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --universal --python-version 3.11

explorer:              ## build gql/explorer anew from explorer/ (needs Node 20)
	cd explorer && npm ci && npm run build

clean:                 ## forget the environment (never the data in .dibs)
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Dibs needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	$(PYTHON) -m venv .venv

.venv/.runtime: requirements/runtime.txt pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt .venv/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
