"""Logout tokens that no provider of ours has made for this client just now; and those that one has, which are taken."""

import json
from time import time
from typing import Any

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from knowlog.tenants.sign_on.logout_tokens import SignedOut, read_logout_token
from knowlog.tenants.sign_on.model import BadIdToken, UnknownKey

NOW = int(time())
RSA, EC = RSAKey.generate_key(2048, {"kid": "rsa"}), ECKey.generate_key("P-256", {"kid": "ec"})
EVIL = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = [key.as_dict(private=False) for key in (RSA, EC)]
ISSUER = "https://login.example.com"
EVENT = {"http://schemas.openid.net/event/backchannel-logout": {}}
CLAIMS: dict[str, Any] = {
    "iss": ISSUER, "aud": "knowlog", "iat": NOW, "exp": NOW + 120, "jti": "one", "events": EVENT,
    "sub": "bob", "sid": "s1",
}  # fmt: skip


def token(header: dict[str, Any] | None = None, key: Any = RSA, **claims: Any) -> str:
    """A logout token that the provider has signed, unless another key is given. A claim of None is left out."""
    head = {"alg": "RS256", "kid": "rsa", "typ": "logout+jwt", **(header or {})}
    said = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    registry = jws.JWSRegistry(algorithms=["RS256", "ES256"], strict_check_header=False)
    plain = {name: value for name, value in head.items() if value is not None}
    return jws.serialize_compact(plain, json.dumps(said), key, registry=registry)


def read(offered: str) -> SignedOut:
    """What it says."""
    return read_logout_token(offered, KEYS, ISSUER, "knowlog", NOW)


@pytest.mark.parametrize(
    ("offered", "wanted"),
    [
        (token(), SignedOut("bob", "s1", "one")),
        (token(sid=None), SignedOut("bob", None, "one")),
        (token(sub=None), SignedOut(None, "s1", "one")),
        (token(aud=["knowlog"]), SignedOut("bob", "s1", "one")),
        (token({"typ": "application/logout+JWT"}), SignedOut("bob", "s1", "one")),
        (token({"alg": "ES256", "kid": "ec"}, EC), SignedOut("bob", "s1", "one")),
    ],
    ids=["whole", "account", "session", "list", "long kind", "P-256"],
)
def test_what_a_provider_has_made_for_us_is_taken(offered: str, wanted: SignedOut) -> None:
    """An account, a session, or both."""
    assert read(offered) == wanted


LIES: dict[str, dict[str, Any]] = {
    "another provider": {"iss": "https://evil.example"},
    "no provider": {"iss": None},
    "another client": {"aud": "another"},
    "among other clients": {"aud": ["knowlog", "another"]},
    "issued to another client": {"azp": "another"},
    "no client": {"aud": None},
    "a nonce": {"nonce": "n"},
    "a null nonce is a nonce": {"nonce": []},
    "no event": {"events": None},
    "another event": {"events": {"http://schemas.openid.net/event/other": {}}},
    "an event that is no object": {"events": {"http://schemas.openid.net/event/backchannel-logout": True}},
    "events as a list": {"events": ["http://schemas.openid.net/event/backchannel-logout"]},
    "over": {"exp": NOW - 61},
    "no end": {"exp": None},
    "made long ago": {"iat": NOW - 700, "exp": NOW + 9999},
    "made tomorrow": {"iat": NOW + 86400, "exp": NOW + 99999},
    "no beginning": {"iat": None},
    "times in words": {"iat": str(NOW)},
    "nobody": {"sub": None, "sid": None},
    "an account that is no name": {"sub": 7},
    "a session that is no name": {"sid": ["s1"]},
    "an empty session": {"sid": ""},
    "no name of its own": {"jti": None},
    "a name that is none": {"jti": {"a": 1}},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_signed_token_that_says_something_else_ends_nothing(lie: str) -> None:
    """Whatever the provider has signed."""
    with pytest.raises(BadIdToken):
        read(token(**LIES[lie]))


@pytest.mark.parametrize(
    "offered",
    [
        token({"typ": "JWT"}), token({"typ": None}), token({"typ": "at+jwt"}),
        token(key=EVIL), token({"kid": "unheard of"}),
        token({"jwk": EVIL.as_dict(private=False)}, EVIL), token()[:-8] + "AAAAAAAA", token().rpartition(".")[0] + ".",
        "eyJhbGciOiJub25lIiwidHlwIjoibG9nb3V0K2p3dCJ9." + token().split(".")[1] + ".", "", "a.b.c", "x" * 70000,
    ],
    ids=["an ID token", "no kind", "access token", "another key", "unknown key", "its own key",
         "a changed signature", "no signature", "none", "nothing", "no token", "very long"],
)  # fmt: skip
def test_what_the_provider_has_not_signed_as_a_logout_token_ends_nothing(offered: str) -> None:
    """Least of all its other tokens."""
    with pytest.raises((BadIdToken, UnknownKey)):
        read(offered)
