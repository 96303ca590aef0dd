"""Tokens that nobody issued, offered as a key: each is refused, with the same words as any wrong key."""

import base64
import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import time
from typing import Any

import pytest
from api_scene import Client, client_of
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hint_scene import with_settings

from knowlog.bootstrap import App
from knowlog.database import Scope

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
NOW = int(time())


def b64(value: bytes | dict[str, Any] | str) -> str:
    """base64url without padding, of bytes or of JSON."""
    raw = (
        value
        if isinstance(value, bytes)
        else (value if isinstance(value, str) else json.dumps(value)).encode()
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_pem() -> bytes:
    """The RSA key's public half, as attackers put it into HMAC."""
    return RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def signature(algorithm: str, signed: bytes) -> bytes:
    """What an attacker with a key of his own makes."""
    if algorithm.startswith("HS"):
        return hmac.digest(public_pem(), signed, f"sha{algorithm[2:]}")
    if algorithm == "RS256":
        return RSA_KEY.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    if algorithm == "ES256":
        return EC_KEY.sign(signed, ec.ECDSA(hashes.SHA256()))
    return ED_KEY.sign(signed) if algorithm == "EdDSA" else b""


def token(header: dict[str, Any] | str, claims: dict[str, Any] | str, signed: bytes | None = None) -> str:
    """A JWS in its compact form."""
    body = f"{b64(header)}.{b64(claims)}"
    algorithm = header.get("alg", "") if isinstance(header, dict) else "EdDSA"
    made = signature(str(algorithm), body.encode()) if signed is None else signed
    return f"{body}.{b64(made)}"


def claims_for(tenant_id: str, **changes: Any) -> dict[str, Any]:
    """Claims as a session's token might have them: every name that could give the caller a tenant and a role."""
    return {
        "iss": "knowlog", "aud": "knowlog", "sub": tenant_id, "tenant": tenant_id, "tenant_id": tenant_id,
        "org_id": tenant_id,
        "role": "owner", "typ": "access", "iat": NOW, "nbf": NOW, "exp": NOW + 600, "jti": tenant_id,
        "sid": tenant_id, **changes,
    }  # fmt: skip


def forged(tenant_id: str) -> Iterator[tuple[str, str]]:
    """Sixty and more (name, token)."""
    claims = claims_for(tenant_id)
    jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64(ED_KEY.public_key().public_bytes_raw())}
    for alg in ("none", "None", "NONE", "nOnE", "", "null", "HS256", "HS384", "HS512", "RS256", "ES256", "EdDSA",
                "Ed25519", "PS256", "ES256K", "dir", "A256GCMKW", "RSA1_5"):  # fmt: skip
        yield f"alg {alg}", token({"alg": alg, "typ": "JWT"}, claims)
        yield f"alg {alg}, unsigned", token({"alg": alg, "typ": "JWT"}, claims, b"")
    for name, value in (
        ("jwk", jwk), ("jku", "https://evil.example/keys"), ("x5u", "https://evil.example/cert"), ("x5c", ["MIIB"]),
        ("kid", "../../../../dev/null"), ("kid", "' or 1=1 --"), ("kid", "https://evil.example/key"), ("kid", None),
        ("kid", "\u0000"), ("kid", {"a": 1}), ("crit", ["unknown"]), ("crit", []), ("b64", False), ("zip", "DEF"),
        ("enc", "A256GCM"), ("cty", "JWT"), ("typ", "id_token"), ("typ", "refresh"), ("typ", "at+jwt"),
        ("alg", ["EdDSA"]), ("alg", None), ("alg", 1),
    ):  # fmt: skip
        yield (
            f"{name} {value}",
            token({"alg": "EdDSA", "typ": "JWT", name: value}, claims, ED_KEY.sign(b"anything")),
        )
    for name, value in (
        ("exp", "9999999999"), ("exp", 1e308), ("exp", NOW - 1), ("exp", None), ("exp", 10**400), ("nbf", NOW + 3600),
        ("nbf", "0"), ("aud", "another"), ("aud", []), ("iss", "https://evil.example"), ("role", ["owner"]),
        ("sub", {"$ne": ""}),
    ):  # fmt: skip
        yield (
            f"{name} {str(value)[:20]}",
            token({"alg": "EdDSA", "typ": "JWT"}, claims_for(tenant_id, **{name: value})),
        )
    twice = json.dumps(claims)[:-1] + ', "role": "reader"}'
    yield "member twice", token({"alg": "EdDSA", "typ": "JWT"}, twice)
    yield "algorithm twice", token('{"alg": "EdDSA", "alg": "none"}', claims)
    yield "r and s are zero", token({"alg": "ES256"}, claims, bytes(64))
    yield "Ed25519 of small order", token({"alg": "EdDSA"}, claims, bytes(64))
    yield "empty HMAC key", token({"alg": "HS256"}, claims, hmac.digest(b"", b"x", hashlib.sha256))
    yield "JWE", ".".join(b64(part) for part in ({"alg": "dir", "enc": "A256GCM"}, "", "iv", "text", "tag"))
    yield (
        "JSON serialization",
        json.dumps({"payload": b64(claims), "signatures": [{"protected": b64({"alg": "none"})}]}),
    )
    yield "giant header", token({"alg": "EdDSA", "x": "A" * 7000}, claims)[:7900]
    yield "two parts", f"{b64({'alg': 'none'})}.{b64(claims)}"
    yield "dots", "....."
    yield "a key's form", f"kl_{tenant_id.replace('-', '')}_{'A' * 43}"


@pytest.fixture
async def door(app: App) -> AsyncIterator[Client]:
    """A client of a server that hears out thousands of wrong keys."""
    async with client_of(with_settings(app, wrong_keys_per_minute=100_000), None) as client:
        yield client


async def refused(door: Client, offered: str) -> tuple[int, str]:
    """Status and words with which a token is refused."""
    answer = await door.get("/v1/collections", headers={"Authorization": f"Bearer {offered}"})
    return answer.status_code, str(answer.json().get("detail"))


async def test_no_forged_token_opens_anything(door: Client, alice: Client, tenant: Scope) -> None:
    """Unsigned, signed by others, with headers that name a key of the attacker's, ended, misused, malformed."""
    tokens = list(forged(str(tenant.tenant_id)))
    assert len(tokens) >= 60
    told = {name: await refused(door, offered) for name, offered in tokens}
    assert {name: status for name, (status, _) in told.items() if status != 401} == {}
    del told["a key's form"]  # that may be told what a wrong key is
    assert (
        len({words for _, words in told.values()}) <= 2
    )  # of what looks like a token, and of what looks like a key
    assert (await alice.get("/v1/collections")).status_code == 200


@pytest.mark.data
async def test_no_published_vector_opens_anything(door: Client) -> None:
    """Wycheproof's 401 of JSON Web Signature, those that are valid for their own keys too: none of these is ours."""
    place = Path(os.environ.get("KNOWLOG_DATA", ""), "jose", "json_web_signature_test.json")
    if not os.environ.get("KNOWLOG_DATA") or not place.exists():
        pytest.skip("KNOWLOG_DATA names no folder with jose/json_web_signature_test.json")
    vectors = [test for group in json.loads(place.read_text())["testGroups"] for test in group["tests"]]
    assert len(vectors) == 401
    offered = [each["jws"] if isinstance(each["jws"], str) else json.dumps(each["jws"]) for each in vectors]
    told = [await refused(door, each) for each in offered if each.isascii() and each.isprintable()]
    assert {status for status, _ in told} <= {401, 431}
