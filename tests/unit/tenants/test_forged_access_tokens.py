"""Access tokens that look like ours and are not; and ours, which are taken."""

import json
import os
from dataclasses import replace
from pathlib import Path
from time import time
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from joserfc.jwk import OKPKey

from knowlog.tenants import tokens
from knowlog.tenants.tokens import Claims, NoToken, Signer, encoded, read, verify

KEY, EVIL = ed25519.Ed25519PrivateKey.generate(), ed25519.Ed25519PrivateKey.generate()
KEY_ID = uuid4()
NOW = int(time())
CLAIMS = Claims(uuid4(), uuid4(), uuid4(), NOW, NOW + 600, "g" * 22)


@pytest.fixture(autouse=True)
def _at_that_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is still when these tokens were made: else, in a long run, all would be refused for their age."""
    monkeypatch.setattr(tokens, "time", SimpleNamespace(time=lambda: NOW))


def signed_by(key: ed25519.Ed25519PrivateKey, claims: Claims, key_id: UUID = KEY_ID) -> str:
    """A token in our form."""
    made = {"kty": "OKP", "crv": "Ed25519", "x": encoded(key.public_key().public_bytes_raw()),
            "d": encoded(key.private_bytes_raw())}  # fmt: skip
    return Signer(key_id, OKPKey.import_key(made)).sign(claims)


def accepted(token: str) -> bool:
    """Whether a server that knows our key takes the token."""
    try:
        key_id, claims = read(token)
        verify(token, KEY.public_key().public_bytes_raw(), claims)
    except NoToken:
        return False
    return key_id == KEY_ID


def with_header(header: str) -> str:
    """Our claims under another header, signed with our own key: not even that helps."""
    body = f"{encoded(header.encode())}.{signed_by(KEY, CLAIMS).split('.')[1]}"
    return f"{body}.{encoded(KEY.sign(body.encode()))}"


def test_ours_are_taken() -> None:
    """None that is valid is refused."""
    assert all(accepted(signed_by(KEY, replace(CLAIMS, session_id=uuid4()))) for _ in range(100))


OURS = f'"typ":"at+jwt","alg":"Ed25519","kid":"{KEY_ID.hex}"'
HEADERS = [
    *(OURS.replace("Ed25519", alg) for alg in ("none", "None", "nOnE", "EdDSA", "HS256", "RS256", "ES256",
                                               "PS256", "Ed448", "")),
    *(OURS.replace("at+jwt", typ) for typ in ("JWT", "id_token", "refresh", "AT+JWT", "application/at+jwt", "")),
    *(OURS.replace(KEY_ID.hex, kid) for kid in ("../../dev/null", "' or 1=1 --", "https://evil.example", "",
                                                KEY_ID.hex.upper())),
    *(f'{OURS},"{name}":{value}' for name, value in (
        ("jwk", '{"kty":"OKP"}'), ("jku", '"https://evil.example"'), ("x5u", '"https://evil.example"'),
        ("x5c", '["MIIB"]'),
        ("crit", '["x"]'), ("crit", "[]"), ("b64", "false"), ("zip", '"DEF"'), ("enc", '"A256GCM"'), ("alg", '"none"'),
    )),
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS)
def test_another_header_is_refused(header: str) -> None:
    """Other algorithms and types, keys in the header, unknown criticals, members twice."""
    assert not accepted(with_header("{" + header + "}"))


@pytest.mark.parametrize(
    "claims",
    [replace(CLAIMS, expires_at=NOW - 1), replace(CLAIMS, issued_at=NOW + 3600, expires_at=NOW + 4000),
     replace(CLAIMS, expires_at=NOW + 10**6), replace(CLAIMS, expires_at=10**12), replace(CLAIMS, issued_at=0)],
)  # fmt: skip
def test_a_token_out_of_its_time_is_refused(claims: Claims) -> None:
    """Ended, not begun, or good for longer than any of ours."""
    assert not accepted(signed_by(KEY, claims))


def test_no_other_signature_will_do() -> None:
    """Another key's, none, zeros, a bit changed, another token's."""
    good = signed_by(KEY, CLAIMS)
    body, other = good.rpartition(".")[0], signed_by(KEY, replace(CLAIMS, member_id=uuid4()))
    changed = [f"{body}.{tail}" for tail in ("", "A" * 86, "A" * 85, other.rpartition(".")[2])]
    changed += [
        good[:at] + ("A" if good[at] != "A" else "B") + good[at + 1 :] for at in range(0, len(good), 7)
    ]
    changed += [
        signed_by(EVIL, CLAIMS),
        f"{good}.",
        f".{good}",
        good + "=",
        good * 2,
        good.replace(".", "..", 1),
    ]
    last = good[-1]  # its last two bits are no part of the signature, and must be zero all the same
    assert [each for each in changed if accepted(each)] == []
    assert last in "AQgw"


@pytest.mark.data
def test_no_published_vector_is_taken() -> None:
    """Wycheproof's 401 of JSON Web Signature: none is in our form, the algorithm of ours is not among them."""
    place = Path(os.environ.get("KNOWLOG_DATA", ""), "jose", "json_web_signature_test.json")
    if not os.environ.get("KNOWLOG_DATA") or not place.exists():
        pytest.skip("KNOWLOG_DATA names no folder with jose/json_web_signature_test.json")
    vectors = [
        test["jws"] for group in json.loads(place.read_text())["testGroups"] for test in group["tests"]
    ]
    assert len(vectors) == 401
    assert [each for each in vectors if accepted(each if isinstance(each, str) else json.dumps(each))] == []
