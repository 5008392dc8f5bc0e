"""A certified implementation of an OpenID Connect issuer, and the real server that takes its word."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.acceptance.processes import KEY, SECONDS_MAX, has_traceback, serving

ROLES = {"pick": {"scopes": ["fulfillment:pick"]}, "look": {"scopes": ["orders:read"]}}
ORDERS, TASKS = "{ orders(first: 1) { nodes { id } } }", '{ pickTasks(location: "LEEDS") { nodes { quantity } } }'


@dataclass
class Issuer:
    process: "subprocess.Popen[str]"
    address: str

    def token(self, scope: str, resource: str = "https://dibs.example", client: str = "alice") -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": "a secret of the tests",
            "scope": scope,
            "resource": resource,
        }
        answer = httpx.post(f"{self.address}/token", data=form, timeout=SECONDS_MAX)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    def turn(self) -> None:
        """Sign with another key from now on."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.says()

    def says(self) -> str:
        assert self.process.stdout
        return str(json.loads(self.process.stdout.readline())["address"])


@contextmanager
def an_issuer(program: str, scripts: Path) -> Iterator[Issuer]:
    process = subprocess.Popen(
        [program, "issuer.mjs"],
        cwd=scripts,
        env={**os.environ, "NODE_NO_WARNINGS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        issuer = Issuer(process, "")
        issuer.address = issuer.says()
        try:
            yield issuer
        finally:
            process.kill()


def test_people_of_an_issuer_come_in_also_after_it_has_turned_its_key(
    program: str, scripts: Path, database_url: str, tmp_path: Path
):
    with an_issuer(program, scripts) as issuer:
        settings = {
            "DIBS_DATABASE_URL": database_url,
            "DIBS_ADMIN_KEY": KEY,
            "DIBS_OIDC_ISSUER": issuer.address,
            "DIBS_OIDC_AUDIENCE": "dibs",
            "DIBS_OIDC_ROLES": json.dumps(ROLES),
            "DIBS_OIDC_ALLOW_LOOPBACK": "true",
        }
        with serving(tmp_path, **settings) as server:
            looks = issuer.token("look")
            assert server.ask(ORDERS, looks).json()["data"] == {"orders": {"nodes": []}}
            assert server.ask(TASKS, looks).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
            assert server.ask(ORDERS, issuer.token("look", "https://another.example")).status_code == 401
            assert server.ask(ORDERS, issuer.token("pick")).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"

            issuer.turn()
            turned, until = issuer.token("look"), time.monotonic() + SECONDS_MAX
            while server.ask(ORDERS, turned).status_code == 401 and time.monotonic() < until:
                time.sleep(0.5)  # the issuer is not asked at every request
            assert server.ask(ORDERS, turned).status_code == 200
            assert server.ask(ORDERS, looks).status_code == 401
        assert not has_traceback(server.log.read_text())
