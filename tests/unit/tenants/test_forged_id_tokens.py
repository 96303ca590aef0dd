"""ID tokens that no provider of ours has made for this sign-in; and those that one has, which are taken."""

import hmac
import json
import os
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256, sha512
from pathlib import Path
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey

from knowlog.tenants.sign_on.id_tokens import Expected, is_usable, read_id_token, signed_payload
from knowlog.tenants.sign_on.model import BadIdToken, UnknownKey
from knowlog.tenants.tokens import encoded

NOW = int(time())
RSA, EC = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-256", {"kid": "ec"})
ED, EVIL = OKPKey.generate_key("Ed25519", {"kid": "ed"}), RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = [key.as_dict(private=False) for key in (RSA, EC, ED)]
EXPECTED = Expected("https://login.example.com", "knowlog", "the-nonce", "the-access-token")
CLAIMS = {
    "iss": EXPECTED.issuer,
    "aud": "knowlog",
    "sub": "bob",
    "nonce": "the-nonce",
    "iat": NOW,
    "exp": NOW + 300,
}
SIGNERS = {"RS256": RSA, "PS256": RSA, "ES256": EC, "EdDSA": ED, "Ed25519": ED}


def b64(value: object) -> str:
    """base64url of bytes, of text, or of JSON."""
    raw = (
        value
        if isinstance(value, bytes)
        else (value if isinstance(value, str) else json.dumps(value)).encode()
    )
    return encoded(raw)


def token(
    algorithm: str = "RS256", header: dict[str, Any] | None = None, key: Any = None, **claims: Any
) -> str:
    """A token that the provider's own key has signed, unless another is given. A claim of None is left out."""
    signer = key or SIGNERS[algorithm]
    head = {"alg": algorithm, "kid": SIGNERS[algorithm].kid, **(header or {})}
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    plain = {name: value for name, value in head.items() if value is not None}
    return jws.serialize_compact(plain, json.dumps(said), signer, registry=registry)


def under(header: str | dict[str, Any], signature: bytes | None = None) -> str:
    """Our claims under any header, with the provider's own RSA signature unless another is given."""
    body = f"{b64(header)}.{b64(CLAIMS)}"
    made = RSA.private_key.sign(body.encode(), *_padding()) if signature is None else signature
    return f"{body}.{encoded(made)}"


def _padding() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PKCS1v15(), hashes.SHA256()


def accepted(offered: str, expected: Expected = EXPECTED) -> bool:
    """Whether the token is believed."""
    try:
        return bool(read_id_token(offered, KEYS, expected, NOW)["sub"] == "bob")
    except BadIdToken:
        return False


def half(digest: bytes) -> str:
    return encoded(digest[: len(digest) // 2])


@pytest.mark.parametrize("algorithm", SIGNERS)
def test_what_the_provider_made_for_us_is_taken(algorithm: str) -> None:
    """By each algorithm; with a hash of the access token, several audiences, a clock a little off."""
    hashed = (sha512 if SIGNERS[algorithm] is ED else sha256)(b"the-access-token").digest()
    good = [
        token(algorithm), token(algorithm, {"typ": "JWT"}), token(algorithm, {"kid": None}), token(algorithm,
        at_hash=half(hashed)),
        token(algorithm, aud=["knowlog"]), token(algorithm, aud=["other", "knowlog"], azp="knowlog"),
        token(algorithm, iat=NOW + 50, nbf=NOW + 50), token(algorithm, iat=NOW - 400, exp=NOW - 30),
    ]  # fmt: skip
    assert all(accepted(each) for each in good)


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://login.example.com/"}, {"iss": "https://evil.example"}, {"iss": None},
    {"iss": ["https://login.example.com"]},
    {"aud": "another"}, {"aud": []}, {"aud": None}, {"aud": {"knowlog": 1}}, {"aud": ["knowlog", "other"]},
    {"aud": "knowlog2"},
    {"aud": ["knowlog", "other"], "azp": "other"}, {"azp": "other"}, {"azp": ["knowlog"]}, {"azp": ""},
    {"sub": None}, {"sub": ""}, {"sub": 7}, {"sub": ["bob"]}, {"sub": "b" * 256}, {"sub": "bob\u0000"},
    {"sub": "b\u00f6b"},
    {"nonce": None}, {"nonce": "another"}, {"nonce": ""}, {"nonce": ["the-nonce"]}, {"nonce": "THE-NONCE"},
    {"exp": None}, {"exp": NOW - 61}, {"exp": str(NOW + 300)}, {"exp": True}, {"exp": [NOW + 300]}, {"exp": 10**400},
    {"iat": None}, {"iat": NOW + 61}, {"iat": NOW - 700}, {"iat": "0"}, {"iat": False}, {"nbf": NOW + 61},
    {"nbf": "now"},
    {"at_hash": half(sha256(b"another").digest())}, {"at_hash": ""}, {"at_hash": 1},
    {"at_hash": encoded(sha256(b"the-access-token").digest())},
]  # fmt: skip


@pytest.mark.parametrize("claims", WRONG_CLAIMS, ids=lambda claims: "-".join(claims))
def test_a_signed_token_that_says_something_else_is_refused(claims: dict[str, Any]) -> None:
    """Of another provider, for another client, of another sign-in, out of its time, about nobody."""
    assert not accepted(token(**claims))


def unsigned() -> Iterator[str]:
    """Tokens of an attacker who knows all that is public."""
    pem = RSA.public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for alg in ("none", "None", "nOnE", "", "HS256", "HS384", "HS512", "RS384", "RS512", "PS512", "ES512", "ES256K",
    "Ed448",
                "RSA1_5", "dir", "null"):  # fmt: skip
        yield under({"alg": alg, "kid": "rsa"})
        yield under({"alg": alg, "kid": "rsa"}, b"")
    for secret in (pem, pem.strip(), b"", RSA.public_key.public_numbers().n.to_bytes(256, "big")):
        body = f"{b64({'alg': 'HS256', 'kid': 'rsa'})}.{b64(CLAIMS)}"
        yield f"{body}.{encoded(hmac.digest(secret, body.encode(), sha256))}"
    for value in (["RS256"], None, 1, {"RS256": 1}):
        yield under({"alg": value, "kid": "rsa"})
    for header in ({"kid": ["rsa"]}, {"kid": 1}, {"crit": ["x"]}, {"crit": []}, {"b64": False}, {"b64": True},
    {"typ": "at+jwt"},
                   {"typ": "logout+jwt"}, {"typ": 1}, {"typ": "JWE"}):  # fmt: skip
        yield under({"alg": "RS256", "kid": "rsa", **header})
    own = EVIL.as_dict(private=False)
    for header in (
        {"jwk": own},
        {"jku": "https://evil.example"},
        {"x5u": "https://evil.example"},
        {"x5c": ["MIIB"]},
        {},
    ):
        yield token(header=header, key=EVIL)
    for kid in ("../../dev/null", "' or 1=1 --", "https://evil.example", "ec", "\u0000", "RSA", ""):
        yield token(header={"kid": kid})
    yield under({"alg": "ES256", "kid": "ec"}, bytes(64))
    yield under({"alg": "EdDSA", "kid": "ed"}, bytes(64))
    yield under({"alg": "ES256", "kid": "rsa"})
    yield under('{"alg": "RS256", "kid": "rsa", "alg": "none"}')
    good = token()
    head, payload, signature = good.split(".")
    yield from (f"{head}.{payload}.", f"{head}.{payload}", f"{head}..{signature}", f".{payload}.{signature}",
    good + "=", " " + good,
                good + "\n", good * 2, f"{head}.{b64({**CLAIMS, 'sub': 'bob', 'x': 1})}.{signature}", "....", "",
                "a.b.c",
                json.dumps({"payload": payload, "signatures": [{"protected": head, "signature": signature}]}),
                f"{head}.{payload}.{signature[:-4]}AAAA", "A" * 70_000)  # fmt: skip
    yield jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, "[]", RSA)
    yield jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, "bob", RSA)


def test_a_token_that_no_key_of_the_provider_has_signed_is_refused() -> None:
    """Eighty: other algorithms, the public key as a secret, keys in the header, other kinds of tokens, malformed."""
    forged = list(unsigned())
    assert len(forged) >= 80
    assert [each for each in forged if accepted(each)] == []


def test_a_key_is_chosen_by_its_name_or_where_there_is_one_alone() -> None:
    """Two of a kind, and a token that names neither: nobody tries them out."""
    second = RSAKey.generate_key(2048, {"kid": "second"}).as_dict(private=False)
    with pytest.raises(UnknownKey):
        signed_payload(token(header={"kid": None}), [*KEYS, second])
    assert signed_payload(token(), [*KEYS, second])[0] == "RS256"
    with pytest.raises(UnknownKey):
        signed_payload(token("PS256"), [{**KEYS[0], "alg": "RS256"}])


def test_keys_that_may_not_verify_are_left_out() -> None:
    """Secrets, keys for encryption, weak ones, other curves, and what is no key."""
    weak = {"kty": "RSA", "e": "AQAB", "n": encoded(((1 << 1023) + 1155).to_bytes(128, "big"))}
    bad: list[object] = [
        {"kty": "oct", "k": "c2VjcmV0"}, {**KEYS[0], "use": "enc"}, {**KEYS[0], "key_ops": ["encrypt"]}, {**KEYS[0],
        "alg": "RS1"},
        {**KEYS[0], "alg": "HS256"}, {**KEYS[1], "crv": "P-384"}, {**KEYS[1], "x": "AA"}, {**KEYS[2],
        "crv": "X25519"}, weak,
        {"kty": "RSA"}, {"kty": ["RSA"]}, "key", None, {**KEYS[0], "n": 7}, {**KEYS[0], "n": ""},
    ]  # fmt: skip
    assert [each for each in bad if is_usable(each)] == []
    assert all(
        is_usable(key) for key in (*KEYS, {**KEYS[0], "use": "sig", "key_ops": ["verify"], "alg": "PS256"})
    )


@pytest.mark.data
def test_of_published_vectors_those_alone_are_taken_that_are_right() -> None:
    """Wycheproof's 401, each with its own key: no bad one is taken, no good one of our algorithms refused."""
    place = Path(os.environ.get("KNOWLOG_DATA", ""), "jose", "json_web_signature_test.json")
    if not os.environ.get("KNOWLOG_DATA") or not place.exists():
        pytest.skip("KNOWLOG_DATA names no folder with jose/json_web_signature_test.json")
    groups = json.loads(place.read_text())["testGroups"]
    told = [
        (test["result"], verified(test["jws"], group.get("public") or group["private"]), ours(test["jws"]))
        for group in groups
        for test in group["tests"]
    ]
    assert len(told) == 401
    assert [each for each in told if each[0] == "invalid" and each[1]] == []
    assert [each for each in told if each[0] == "valid" and each[2] and not each[1]] == []
    assert sum(was_taken for _, was_taken, _ in told) >= 10


def verified(offered: object, key: dict[str, Any]) -> bool:
    """Whether a key set with this key alone has signed it."""
    try:
        return bool(signed_payload(str(offered), [each for each in [key] if is_usable(each)]))
    except BadIdToken:
        return False


def ours(offered: object) -> bool:
    """Whether a vector is by an algorithm that is supported, and has a payload."""
    head, payload, *_ = [*str(offered).split("."), ""]
    try:
        header = json.loads(b64decode(head + "==", altchars=b"-_"))
    except ValueError:
        return False
    return bool(payload) and header.get("alg") in SIGNERS
