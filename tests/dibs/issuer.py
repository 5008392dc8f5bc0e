"""An issuer of tokens on a port of this machine that says whatever a test wants it to say."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key

AUDIENCE = "dibs"


def a_key(kid: str | None = "one") -> ECKey:
    return ECKey.generate_key("P-256", {} if kid is None else {"kid": kid, "use": "sig", "alg": "ES256"})


def answering(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{more}\r\n".encode() + body


@dataclass(slots=True)
class LocalIssuer:
    """Publishes its keys. `says`: answers instead of its own, by path. `asked`: the paths, one after the other."""

    keys: list[Key] = field(default_factory=lambda: [a_key()])
    address: str = ""
    says: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def token(self, *, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Signed by the first key, of what a person usually claims; a claim that is None is left out."""
        key = key or self.keys[0]
        now = int(time.time())
        usual = {"iss": self.address, "aud": AUDIENCE, "sub": "alice", "iat": now, "exp": now + 60, "roles": ["pick"]}
        given = {name: value for name, value in (usual | claims).items() if value is not None}
        names = {"alg": "ES256", "kid": key.kid} | (header or {})
        chosen = {name: value for name, value in names.items() if value is not None}
        return jwt.encode(chosen, given, key, algorithms=[chosen["alg"]], default_type=None)

    def published(self) -> dict[str, bytes]:
        documents = {
            "/.well-known/openid-configuration": {"issuer": self.address, "jwks_uri": f"{self.address}/keys"},
            "/keys": {"keys": [key.as_dict(private=False) for key in self.keys]},
        }
        return {path: answering(json.dumps(document).encode()) for path, document in documents.items()}

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            path = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
            self.asked.append(path)
            writer.write((self.published() | self.says).get(path, answering(b"", "404 Not Found")))
            await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def an_issuer() -> AsyncIterator[LocalIssuer]:
    issuer = LocalIssuer()
    async with await asyncio.start_server(issuer.answer, "127.0.0.1", 0) as server:
        issuer.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield issuer
