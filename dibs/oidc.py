"""People: whoever an OpenID Connect issuer vouches for, with a signed token.

The issuer's keys are fetched when the first token comes, and again when they are old or a token names one that is not
among them; so that an issuer turns its keys without anybody here noticing, and so that nobody can make us ask it at
every request. Tokens are judged here, without a word to the issuer: what it takes back before it expires is good until
then, so tokens ought to be short-lived.
"""

import asyncio
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeGuard
from urllib.parse import urlsplit

import httpx
import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import JWKRegistry, Key, KeySet

from domain.webhooks import address_of
from services.people import IssuerUnavailable, Person

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Only those in which the issuer alone can sign: with a secret that is shared (HS256) we could as well."""
KEY_TYPES = ("RSA", "EC", "OKP")
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
"""What a token may say it is: an access token, or it says nothing in particular."""
TOKEN_LENGTH_MAX = 8_192
SUBJECT_LENGTH_MAX = 255
LEEWAY_SECONDS = 30
"""How far the issuer's clock may be from ours."""
FRESH_SECONDS = 900.0
"""How long keys are taken without looking whether there are others."""
STALE_SECONDS = 86_400.0
"""How long they are taken while the issuer cannot be reached."""
PAUSE_SECONDS = 5.0
"""Between two looks at the issuer, whatever the tokens name."""
TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 262_144
DISCOVERY = "/.well-known/openid-configuration"

log = logging.getLogger("dibs.oidc")


class IssuerMistake(Exception):
    """The issuer cannot be understood."""


class OpenIdIssuer:
    """Knows the people of one issuer."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        roles_claim: str = "roles",
        name_claim: str = "sub",
        allow_loopback: bool = False,
        clock: Callable[[], float] = time.time,
        stopwatch: Callable[[], float] = time.monotonic,
    ) -> None:
        """`issuer`: its address, exactly as its tokens say it. `roles_claim`: with dots between, where it is deeper.
        `name_claim`: what people are called in the ledger and in timelines.

        `allow_loopback`: it may be on this machine, also by http://. Raises ValueError where it may not be asked.
        """
        problem = address_problem(issuer, allow_loopback=allow_loopback)
        if problem:
            raise ValueError(problem)
        self._issuer, self._audience, self._roles_claim = issuer, audience, roles_claim.split(".")
        self._name_claim = name_claim
        self._allow_loopback = allow_loopback
        self._clock, self._stopwatch = clock, stopwatch
        self._registry = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._keys: KeySet | None = None
        self._fetched_at = self._asked_at = stopwatch() - STALE_SECONDS
        self._asking = asyncio.Lock()
        self._client = httpx.AsyncClient(
            headers={"accept": "application/json", "accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113  (ours is for everything together)
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def person(self, token: str) -> Person | None:
        """Who the token speaks of; None where it proves nothing. Raises IssuerUnavailable: it cannot be judged now."""
        header = _header(token)
        if header is None:
            return None
        keys = await self._keys_for(header.get("kid"))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SecurityWarning)  # EdDSA has another name now, and is still in use
                decoded = jwt.decode(token, keys, algorithms=ALGORITHMS, registry=self._registry)
            self._claims().validate(decoded.claims)
        except (JoseError, ValueError, TypeError, KeyError, OverflowError):
            return None
        return self._person(decoded.claims)

    def _claims(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": self._audience},
            sub={"essential": True},
            exp={"essential": True},
        )

    def _person(self, claims: dict[str, Any]) -> Person | None:
        subject, name = claims["sub"], claims.get(self._name_claim)
        if not _is_name(subject):
            return None
        try:
            expires_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (ValueError, OverflowError, OSError):
            return None
        return Person(
            issuer=self._issuer,
            subject=subject,
            name=name if _is_name(name) else subject,
            roles=_roles(claims, self._roles_claim),
            expires_at=expires_at,
        )

    # ------------------------------------------------------------ keys

    async def _keys_for(self, kid: str | None) -> KeySet:
        """The keys, fetched anew where they are old or the one that is named is not among them."""
        if self._keys is None or not self._suffice(self._keys, kid):
            async with self._asking:
                if self._keys is None or not self._suffice(self._keys, kid):
                    await self._refresh()
        if self._keys is None or self._age() > STALE_SECONDS:
            raise IssuerUnavailable
        return self._keys

    def _suffice(self, keys: KeySet, kid: str | None) -> bool:
        known = kid is None or any(key.kid == kid for key in keys.keys)
        return known and self._age() < FRESH_SECONDS

    def _age(self) -> float:
        return self._stopwatch() - self._fetched_at

    async def _refresh(self) -> None:
        """Ask the issuer, unless that was just now. The keys stay what they were where it does not answer."""
        if self._stopwatch() - self._asked_at < PAUSE_SECONDS:
            return
        self._asked_at = self._stopwatch()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                self._keys = await self._fetch()
            self._fetched_at = self._stopwatch()
        except (IssuerMistake, httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as problem:
            log.warning("the keys of %s could not be fetched: %.300r", self._issuer, problem)

    async def _fetch(self) -> KeySet:
        configuration = await self._get(f"{self._issuer.rstrip('/')}{DISCOVERY}")
        if configuration.get("issuer") != self._issuer:
            raise IssuerMistake("it says that it is another one")
        address = configuration.get("jwks_uri")
        if not isinstance(address, str) or address_problem(address, allow_loopback=self._allow_loopback):
            raise IssuerMistake("its keys are where none may be fetched from")
        keys = _usable((await self._get(address)).get("keys"))
        if not keys:
            raise IssuerMistake("it has no keys that can be used")
        return KeySet(keys)

    async def _get(self, address: str) -> dict[str, Any]:
        async with self._client.stream("GET", address) as response:
            if response.status_code != 200:
                raise IssuerMistake(f"it answered {response.status_code}")
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > ANSWER_BYTES_MAX:
                    raise IssuerMistake("its answer is too long")
        try:
            found = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise IssuerMistake("its answer is no JSON") from None
        if not isinstance(found, dict):
            raise IssuerMistake("its answer is no object")
        return found


def address_problem(address: str, *, allow_loopback: bool) -> str | None:
    """What is wrong with an issuer's address. It may be inside the house: whoever sets Dibs up chooses it."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no URL"
    if not host or not address.isprintable() or "@" in parts.netloc or parts.query or parts.fragment:
        return "is no URL of an issuer: write https://login.shop.example"
    literal = address_of(host)
    is_loopback = literal.is_loopback if literal else host == "localhost"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback and allow_loopback):
        return "must begin with https://"
    return None


def _header(token: str) -> dict[str, Any] | None:
    """What stands before the signed part, not believed yet; None where that is no token for us."""
    if len(token) > TOKEN_LENGTH_MAX or token.count(".") != 2:
        return None
    try:
        header = dict(jws.extract_compact(token.encode()).headers())
    except (JoseError, ValueError, TypeError):
        return None
    kid, kind, algorithm = header.get("kid"), header.get("typ"), header.get("alg")
    if not (kid is None or isinstance(kid, str)) or not (kind is None or isinstance(kind, str)):
        return None
    if algorithm not in ALGORITHMS or (kind and kind.lower()) not in TYPES:
        return None
    return header


def _usable(given: Any) -> list[Key]:
    """Of what was published, the keys that can sign and are long enough. What is not understood is passed over."""
    keys: list[Key] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", SecurityWarning)  # of keys that are too short
        for one in given if isinstance(given, list) else ():
            if isinstance(one, dict) and one.get("kty") in KEY_TYPES and one.get("use", "sig") == "sig":
                with suppress(JoseError, SecurityWarning, ValueError, TypeError, KeyError):
                    keys.append(JWKRegistry.import_key(one))
    return keys


def _is_name(given: Any) -> TypeGuard[str]:
    return isinstance(given, str) and 0 < len(given) <= SUBJECT_LENGTH_MAX and given.isprintable()


def _roles(claims: dict[str, Any], path: Sequence[str]) -> frozenset[str]:
    found: Any = claims
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, str):
        found = found.split()
    return frozenset(one for one in found if isinstance(one, str)) if isinstance(found, list) else frozenset()
