"""Access tokens: what is not, byte for byte, one of ours is none. Each forgery is one that some verifier accepted."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey

from knowlog.kernel import new_id
from knowlog.tenants import tokens
from knowlog.tenants.tokens import Claims, NoToken, Signer

KEY = Ed25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
KEY_ID = new_id()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
NOW = int(time.time())
CLAIMS = Claims(new_id(), new_id(), new_id(), NOW, NOW + 600, tokens.guard_of("csrf"))
HEADER = {"typ": "at+jwt", "alg": "Ed25519", "kid": KEY_ID.hex}
TOKEN = Signer(KEY_ID, OKPKey.import_key(KEY)).sign(CLAIMS)
PAYLOAD = json.loads(base64.urlsafe_b64decode(TOKEN.split(".")[1] + "=="))


@pytest.fixture(autouse=True)
def _at_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still when these tokens were made: else, in a long run, all would be refused for their age."""
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: NOW))


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def written(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def made(header: object, payload: object, sign: Callable[[bytes], bytes] = KEY.sign) -> str:
    """A token with any header and claims, written as given and signed, by default with the real key."""
    parts = [each if isinstance(each, bytes) else written(each) for each in (header, payload)]
    signed = ".".join(map(b64, parts))
    return f"{signed}.{b64(sign(signed.encode()))}"


def accepted(token: str) -> Claims:
    """What every call does with a token. Raises NoToken."""
    key_id, claims = tokens.read(token)
    if key_id != KEY_ID:
        raise NoToken
    tokens.verify(token, PUBLIC, claims)
    return claims


def hs512(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.new(secret, signed, hashlib.sha512).digest()


def forgeries() -> Iterator[tuple[str, str]]:
    """Name and token."""
    other = Ed25519PrivateKey.generate()
    head, body, mark = TOKEN.split(".")
    for alg in (
        "none",
        "None",
        "nOnE",
        "NONE",
        "",
        "HS256",
        "HS512",
        "EdDSA",
        "Ed448",
        "ES256",
        "RS256",
        "PS256",
    ):
        yield f"alg {alg or 'empty'}", made({**HEADER, "alg": alg}, PAYLOAD)
    for alg in ("none", "Ed25519"):
        yield f"alg {alg} without signature", f"{made({**HEADER, 'alg': alg}, PAYLOAD).rsplit('.', 1)[0]}."
    for secret, name in ((PUBLIC, "raw"), (b64(PUBLIC).encode(), "base64"), (b"", "empty")):
        yield f"HS512 with the public key, {name}", made({**HEADER, "alg": "HS512"}, PAYLOAD, hs512(secret))
        yield f"HMAC called Ed25519, {name}", made(HEADER, PAYLOAD, hs512(secret))
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": b64(other.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)),
    }
    for extra in ({"jwk": jwk}, {"jku": "https://example.com/k"}, {"x5u": "https://example.com/k"}, {"x5c": ["MII"]},
                  {"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"crit": []}, {"zip": "DEF"}, {"enc": "A128GCM"},
                  {"cty": "JWT"}, {"b64": False}):  # fmt: skip
        yield f"header with {', '.join(extra)}", made({**HEADER, **extra}, PAYLOAD)
        yield f"header with {', '.join(extra)}, own key", made({**HEADER, **extra}, PAYLOAD, other.sign)
    kids = (
        "../../../dev/null", "' or 1=1 --", "https://example.com/k", "", "\0", KEY_ID.hex.upper(), str(KEY_ID), None,
        [KEY_ID.hex], new_id().hex,
    )  # fmt: skip
    for number, kid in enumerate(kids):
        yield f"kid {number}", made({**HEADER, "kid": kid}, PAYLOAD)
    for typ in ("JWT", "at+JWT", "rt+jwt", "id+jwt", "application/at+jwt", "", None):
        yield f"typ {typ!r}", made({**HEADER, "typ": typ}, PAYLOAD)
    yield "no typ", made({"alg": "Ed25519", "kid": KEY_ID.hex}, PAYLOAD)
    yield "no kid", made({"typ": "at+jwt", "alg": "Ed25519"}, PAYLOAD)
    yield "header in another order", made(dict(reversed(HEADER.items())), PAYLOAD)
    yield "alg twice", made(json.dumps(HEADER).encode()[:-1] + b',"alg":"none"}', PAYLOAD)
    yield "another's key", made(HEADER, PAYLOAD, other.sign)
    for name in PAYLOAD:
        yield (
            f"without {name}",
            made(HEADER, {each: value for each, value in PAYLOAD.items() if each != name}),
        )
    claims = (
        ("exp", str(NOW + 600)), ("exp", NOW + 600.0), ("exp", 1e300), ("exp", True), ("exp", None), ("exp", NOW - 1),
        ("exp", NOW + 10**6), ("exp", 2**63), ("exp", -1), ("iat", NOW + 3600), ("iat", "0"), ("iat", NOW - 10**6),
        ("iss", "https://example.com"), ("iss", ["knowlog"]), ("aud", "other"), ("aud", ["knowlog-api"]), ("aud", None),
        ("tid", "x"), ("tid", None), ("sub", PAYLOAD["sub"].upper()), ("sid", [PAYLOAD["sid"]]),
        ("tid", str(UUID(PAYLOAD["tid"]))),
    )  # fmt: skip
    for number, (name, value) in enumerate(claims):
        yield f"{name} {number}", made(HEADER, {**PAYLOAD, name: value})
    whole = json.dumps(PAYLOAD, separators=(",", ":")).encode()
    yield "tid twice", made(HEADER, whole[:-1] + b',"tid":"' + new_id().hex.encode() + b'"}')
    yield "exp twice", made(HEADER, whole[:-1] + b',"exp":9999999999}')
    yield "another claim", made(HEADER, {**PAYLOAD, "role": "owner"})
    yield "blanks", made(HEADER, whole + b" ")
    yield "a list", made(HEADER, b"[" + whole + b"]")
    yield "no JSON", made(HEADER, b"\xff" * 220)
    yield "nested a thousand deep", made(HEADER, b"[" * 1000)
    yield (
        "another tenant, old signature",
        f"{head}.{b64(whole.replace(PAYLOAD['tid'].encode(), new_id().hex.encode()))}.{mark}",
    )
    yield "padding", f"{head}=.{body}.{mark}"
    yield "other last bits", f"{head}.{body}.{mark[:-1]}{ALPHABET[ALPHABET.index(mark[-1]) ^ 1]}"
    yield "a line break", f"{TOKEN}\n"
    yield "four parts", f"{TOKEN}.{mark}"
    yield "five parts, as JWE", f"{head}..{b64(b'0' * 12)}.{body}.{b64(b'0' * 16)}"
    yield "JSON serialisation", json.dumps({"payload": body, "protected": head, "signature": mark})
    yield "giant header", made({**HEADER, "x": "x" * 500_000}, PAYLOAD)
    yield "zero signature", f"{head}.{body}.{b64(bytes(64))}"
    yield "nothing", ""
    yield "dots", ".."


FORGERIES = dict(forgeries())


def test_a_token_of_ours_is_accepted() -> None:
    """With the claims that were signed."""
    assert accepted(TOKEN) == CLAIMS
    assert len(FORGERIES) > 100


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_refused(name: str) -> None:
    """Whatever a library would make of it."""
    with pytest.raises(NoToken):
        accepted(FORGERIES[name])


def test_a_giant_header_costs_nothing() -> None:
    """It is not decoded, let alone parsed."""
    giant = "eyJ" + "x" * 50_000_000 + ".e.s"
    begun = time.process_time()
    with pytest.raises(NoToken):
        tokens.read(giant)
    assert time.process_time() - begun < 0.01


def test_the_guard_is_the_sessions_own() -> None:
    """No other session's token against forged requests, and no empty one."""
    assert tokens.is_guarded(TOKEN, "csrf")
    assert not tokens.is_guarded(TOKEN, "")
    assert not tokens.is_guarded(TOKEN, "other")
    unguarded = Signer(KEY_ID, OKPKey.import_key(KEY)).sign(replace(CLAIMS, guard=""))
    assert not tokens.is_guarded(unguarded, "")
