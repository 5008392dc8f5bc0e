"""Whom a token speaks of, and all the tokens that prove nothing."""

import asyncio
import base64
import json
import time
import warnings
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from dibs.oidc import FRESH_SECONDS, LEEWAY_SECONDS, PAUSE_SECONDS, STALE_SECONDS, TOKEN_LENGTH_MAX, OpenIdIssuer
from services.people import IssuerUnavailable
from tests.dibs.issuer import AUDIENCE, LocalIssuer, a_key, an_issuer, answering


class Stopwatch:
    """Runs as far as it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def knowing(**more: Any) -> AsyncIterator[tuple[LocalIssuer, OpenIdIssuer, Stopwatch]]:
    stopwatch = Stopwatch()
    async with an_issuer() as local:
        known = OpenIdIssuer(local.address, AUDIENCE, allow_loopback=True, stopwatch=stopwatch, **more)
        async with aclosing(known):
            yield local, known, stopwatch


async def test_a_person_is_known_by_what_the_issuer_signed():
    async with knowing() as (local, known, _):
        expires = int(time.time()) + 60

        person = await known.person(local.token(aud=["elsewhere", AUDIENCE], exp=expires, roles=["pick", "look", 5]))

        assert person is not None
        assert (person.issuer, person.subject, person.roles) == (local.address, "alice", {"pick", "look"})
        assert person.expires_at == datetime.fromtimestamp(expires, UTC)


@pytest.mark.parametrize(
    ("claim", "claims", "roles"),
    [
        ("realm_access.roles", {"realm_access": {"roles": ["pick"]}}, {"pick"}),
        ("scope", {"scope": "pick look"}, {"pick", "look"}),
        ("roles", {"roles": None}, set()),
        ("roles", {"roles": {"pick": True}}, set()),
        ("roles", {"roles": 5}, set()),
        ("realm_access.roles", {"realm_access": ["pick"]}, set()),
    ],
)
async def test_roles_are_where_the_issuer_puts_them(claim: str, claims: dict[str, Any], roles: set[str]):
    async with knowing(roles_claim=claim) as (local, known, _):
        person = await known.person(local.token(**claims))

        assert person is not None
        assert person.roles == roles


NOW = int(time.time())
LATER = LEEWAY_SECONDS + 60


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"iss": ["http://127.0.0.1"]},
        {"aud": "elsewhere"},
        {"aud": None},
        {"aud": ["elsewhere"]},
        {"aud": {"dibs": True}},
        {"aud": "dibs-not"},
        {"sub": None},
        {"sub": ""},
        {"sub": 5},
        {"sub": "a\nb"},
        {"sub": "a" * 300},
        {"exp": None},
        {"exp": NOW - LATER},
        {"exp": str(NOW + 60)},
        {"exp": True},
        {"exp": float("nan")},
        {"exp": float("inf")},
        {"exp": 10**30},
        {"nbf": NOW + 3600},
        {"iat": NOW + 3600},
    ],
    ids=lambda claims: ", ".join(claims),
)
async def test_what_is_not_for_us_or_not_for_now_proves_nothing(claims: dict[str, Any]):
    async with knowing() as (local, known, _):
        assert await known.person(local.token(**claims)) is None
        assert await known.person(local.token()) is not None


async def test_clocks_may_differ_a_little():
    async with knowing() as (local, known, _):
        now = int(time.time())

        assert await known.person(local.token(exp=now - LEEWAY_SECONDS + 10)) is not None
        assert await known.person(local.token(iat=now + 20, nbf=now + 20)) is not None


@pytest.mark.parametrize(
    "header",
    [{"typ": "logout+jwt"}, {"typ": 5}, {"crit": ["exp"], "exp": 1}, {"alg": "ES256", "kid": 5}],
    ids=str,
)
async def test_a_token_that_says_it_is_something_else_proves_nothing(header: dict[str, Any]):
    async with knowing() as (local, known, _):
        head, body, signature = local.token().split(".")
        said = json.loads(unpacked(head)) | header
        # What the library would not sign is signed under another head; no signature is worse than that head.
        try:
            token = local.token(header=header)
        except Exception:
            token = f"{packed(json.dumps(said).encode())}.{body}.{signature}"

        assert await known.person(token) is None


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS256", RSAKey.generate_key(2048, {"kid": "one"})),
        ("PS512", RSAKey.generate_key(2048, {"kid": "one", "use": "sig"})),
        ("ES384", ECKey.generate_key("P-384", {"kid": "one"})),
        ("Ed25519", OKPKey.generate_key("Ed25519", {"kid": "one"})),
        ("EdDSA", OKPKey.generate_key("Ed25519", {"kid": "one"})),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_issuers_sign_in_many_ways(algorithm: str, key: Key):
    async with knowing() as (local, known, _):
        local.keys = [key]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            token = local.token(header={"alg": algorithm})

        assert await known.person(token) is not None


@pytest.mark.parametrize("typ", [None, "JWT", "at+jwt"])
async def test_an_access_token_may_say_that_it_is_one(typ: str | None):
    async with knowing() as (local, known, _):
        assert await known.person(local.token(header={"typ": typ, "x5t": "of no importance"})) is not None


async def test_nobody_signs_for_the_issuer():
    """With the public key as a secret, with no key, with a key of the same name, or by changing what was signed."""
    async with knowing() as (local, known, _):
        token = local.token()
        head, body, signature = token.split(".")
        claims = json.loads(unpacked(body))
        public = local.keys[0].as_pem(private=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            secret = OctKey.import_key(packed(public))
            confused = jwt.encode({"alg": "HS256", "kid": "one"}, claims, secret, algorithms=["HS256"])
        unsigned = f"{packed(json.dumps({'alg': 'none', 'kid': 'one'}).encode())}.{body}."
        changed = packed(json.dumps(claims | {"sub": "root"}).encode())
        forged = [
            confused,
            unsigned,
            f"{head}.{body}.",
            f"{head}.{changed}.{signature}",
            local.token(key=a_key("one")),
            local.token(key=ECKey.generate_key("P-384", {"kid": "one"}), header={"alg": "ES384"}),
        ]

        assert [await known.person(one) for one in forged] == [None] * len(forged)
        assert await known.person(token) is not None


@pytest.mark.parametrize(
    "token",
    ["", ".", "..", "...", "a.b.c", "e30.e30.e30", "\x00.\x00.\x00", "é.é.é", "[].[].[]", "." * 9000, "W10.e30.AA",
     "eyJhbGciOiJFUzI1NiIsImtpZCI6Im9uZSJ9.e30.AA", "a" * TOKEN_LENGTH_MAX + ".b.c", "a.b.c.d.e"],
    ids=lambda token: repr(token[:20]),
)  # fmt: skip
async def test_rubbish_proves_nothing(token: str):
    async with knowing() as (_, known, _):
        assert await known.person(token) is None


async def test_a_key_that_is_turned_is_taken_up_and_the_old_one_is_not_taken_any_more():
    async with knowing() as (local, known, stopwatch):
        before = local.token()
        assert await known.person(before) is not None
        local.keys = [a_key("two")]
        stopwatch.seconds += PAUSE_SECONDS

        assert await known.person(local.token()) is not None
        assert await known.person(before) is None


async def test_two_keys_stand_side_by_side():
    async with knowing() as (local, known, _):
        local.keys.append(a_key("two"))

        assert await known.person(local.token(key=local.keys[1])) is not None
        assert await known.person(local.token()) is not None
        assert await known.person(local.token(header={"kid": None})) is None


async def test_the_only_key_needs_no_name():
    async with knowing() as (local, known, _):
        local.keys = [a_key(None)]

        assert await known.person(local.token(header={"kid": None})) is not None


async def test_names_of_keys_that_nobody_has_do_not_make_us_ask_each_time():
    async with knowing() as (local, known, stopwatch):
        for number in range(100):
            assert await known.person(local.token(header={"kid": f"none-{number}"})) is None
        assert local.asked == ["/.well-known/openid-configuration", "/keys"]

        stopwatch.seconds += PAUSE_SECONDS
        assert await known.person(local.token(header={"kid": "none"})) is None
        assert len(local.asked) == 4


async def test_many_that_come_first_ask_once():
    async with knowing() as (local, known, _):
        people = await asyncio.gather(*(known.person(local.token()) for _ in range(50)))

        assert None not in people
        assert len(local.asked) == 2


async def test_keys_are_looked_at_again_when_they_are_old():
    async with knowing() as (local, known, stopwatch):
        before = local.token()
        assert await known.person(before) is not None
        local.keys = [a_key("one")]
        assert await known.person(before) is not None

        stopwatch.seconds += FRESH_SECONDS
        assert await known.person(before) is None


async def test_an_issuer_that_cannot_be_reached_is_believed_for_a_day():
    async with knowing() as (local, known, stopwatch):
        assert await known.person(local.token()) is not None
        local.says["/keys"] = answering(b"", "503 Service Unavailable")

        stopwatch.seconds += STALE_SECONDS
        assert await known.person(local.token()) is not None
        stopwatch.seconds += 1
        with pytest.raises(IssuerUnavailable):
            await known.person(local.token())
        del local.says["/keys"]
        stopwatch.seconds += PAUSE_SECONDS
        assert await known.person(local.token()) is not None


CONFIGURATION = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        (CONFIGURATION, answering(b'{"issuer": "https://elsewhere.example", "jwks_uri": "https://elsewhere.example"}')),
        (CONFIGURATION, answering(b"<html>")),
        (CONFIGURATION, answering(b"[]")),
        (CONFIGURATION, answering(b"", "302 Found", "location: /keys\r\n")),
        (CONFIGURATION, b"rubbish\r\n\r\n"),
        ("/keys", answering(b'{"keys": []}')),
        ("/keys", answering(b'{"keys": {"kty": "EC"}}')),
        ("/keys", answering(b'{"keys": [5, {}, {"kty": "EC"}, {"kty": "RSA", "n": "AQAB", "e": "AQAB"}]}')),
        ("/keys", answering(b" " * 300_000)),
        ("/keys", answering(b"", "500 Internal Server Error")),
    ],
    ids=lambda value: value.decode()[:60] if isinstance(value, bytes) else value,
)
async def test_an_issuer_that_makes_no_sense_vouches_for_nobody(path: str, answer: bytes):
    async with knowing() as (local, known, stopwatch):
        local.says[path] = answer
        with pytest.raises(IssuerUnavailable):
            await known.person(local.token())

        local.says.clear()
        stopwatch.seconds += PAUSE_SECONDS
        assert await known.person(local.token()) is not None


async def test_its_keys_may_not_be_where_anybody_could_change_them_on_the_way():
    async with knowing() as (local, known, _):
        document = {"issuer": local.address, "jwks_uri": "http://keys.example/keys"}
        local.says[CONFIGURATION] = answering(json.dumps(document).encode())

        with pytest.raises(IssuerUnavailable):
            await known.person(local.token())


async def test_keys_that_cannot_hold_are_passed_over():
    async with knowing() as (local, known, _):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            short = RSAKey.generate_key(1024, {"kid": "short"})
        shared = OctKey.generate_key(256, {"kid": "shared"})
        signs = ECKey.generate_key("P-256", {"kid": "enciphers"})
        enciphers = ECKey.import_key(signs.as_dict(private=True), {"use": "enc"})
        keys = [short.as_dict(private=False), shared.as_dict(private=True), enciphers.as_dict(private=False)]
        keys.append(local.keys[0].as_dict(private=False))
        local.says["/keys"] = answering(json.dumps({"keys": keys}).encode())

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            of_short = local.token(key=short, header={"alg": "RS256"})
        assert await known.person(of_short) is None
        assert await known.person(local.token(key=signs)) is None
        assert await known.person(local.token()) is not None


@pytest.mark.parametrize(
    "address",
    ["", "login.shop.example", "http://login.shop.example", "https://", "https://a:b@login.shop.example",
     "https://login.shop.example/?a=b", "http://127.0.0.1:1", "ftp://login.shop.example", "https://login.example:x"],
)  # fmt: skip
async def test_an_address_that_is_no_issuer_s_is_refused(address: str):
    with pytest.raises(ValueError, match=r"\w"):
        OpenIdIssuer(address, AUDIENCE)


def packed(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unpacked(data: str) -> bytes:
    return base64.urlsafe_b64decode(data + "==")
