"""ID tokens (OpenID Connect Core 1.0, 3.1.3.7): whether the provider made one for us, just now, for this very sign-in.

joserfc verifies the signature, by one algorithm and with a key that are chosen here: each algorithm belongs to one kind
of key, and what a token says of keys itself (jwk, jku, x5c ...) is not looked at.
"""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256, sha512
from hmac import compare_digest
from typing import Any, TypeGuard

import orjson
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, OKPKey, RSAKey

from knowlog.tenants.sign_on.model import BadIdToken, UnknownKey
from knowlog.tenants.tokens import encoded

Jwk = Mapping[str, Any]
ALGORITHMS: Mapping[str, str] = {
    "RS256": "RSA",
    "PS256": "RSA",
    "ES256": "EC",
    "EdDSA": "OKP",
    "Ed25519": "OKP",
}
"""Algorithm -> kind of key. There is no other: not "none", nothing with a shared secret."""

_SKEW_S = 60
_OLDEST_S = 600
TAKEN_FOR_S = _OLDEST_S + 3 * _SKEW_S
"""After so long no token is taken any more that was taken once."""
_ID_TOKEN = ("", "jwt")
"""What an ID token may say that it is; nothing at all will do."""
_FORM = re.compile(r"([A-Za-z0-9_-]{1,4000})\.[A-Za-z0-9_-]{1,60000}\.[A-Za-z0-9_-]{1,1400}")
_SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")
_RSA_BITS = range(2048, 8193)
_MEMBERS = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_CURVES = {"EC": "P-256", "OKP": "Ed25519"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token must say. `access_token`: the one that came with it."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str | None


def read_id_token(token: str, keys: Sequence[Jwk], expected: Expected, now_s: float) -> dict[str, Any]:
    """The claims of an ID token that is as expected. Raises UnknownKey, or BadIdToken with the reason."""
    algorithm, payload = signed_payload(token, keys)
    claims = read_claims(payload)
    check_parties(claims, expected.issuer, expected.client_id)
    if name_in(claims, "sub") is None:
        raise refused("it names nobody")
    check_times(claims, now_s)
    if not _same(claims.get("nonce"), expected.nonce):
        raise refused("it was made for another sign-in")
    if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(algorithm, expected.access_token)):
        raise refused("it belongs to another access token")
    return claims


def read_claims(payload: bytes) -> dict[str, Any]:
    """The claims of a token. Raises BadIdToken."""
    try:
        claims = orjson.loads(payload)
    except ValueError as error:
        raise refused("it is no JSON") from error
    if not isinstance(claims, dict):
        raise refused("it is no JSON object")
    return claims


def signed_payload(token: str, keys: Sequence[Jwk], kinds: Sequence[str] = _ID_TOKEN) -> tuple[str, bytes]:
    """Algorithm and payload of a token of one of these kinds (`typ`) that one of these keys has signed.

    Raises UnknownKey, BadIdToken.
    """
    algorithm, key_id = _header(token, kinds)
    key = _chosen(keys, algorithm, key_id)
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    registry.max_header_length = 4000
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SecurityWarning
            )  # EdDSA has a newer name, which few providers use
            return algorithm, jws.deserialize_compact(token, _loaded(key), registry=registry).payload
    except (JoseError, ValueError, TypeError) as error:
        raise refused("its signature is wrong") from error


def is_usable(key: object) -> bool:
    """Whether a member of a provider's key set may verify ID tokens: a public key for signatures, strong enough."""
    try:
        return isinstance(key, dict) and _is_meant(key) and _is_strong(_loaded(key))
    except (JoseError, ValueError, TypeError, KeyError):
        return False


def _is_meant(key: Jwk) -> bool:
    """Whether a key says that it signs, by an algorithm of ours. Raises TypeError, KeyError for what is no key."""
    kind = key["kty"]
    by_one_of_ours = key.get("alg") is None or ALGORITHMS.get(key["alg"]) == kind
    signs = key.get("use", "sig") == "sig" and "verify" in (key.get("key_ops") or ["verify"])
    return by_one_of_ours and signs and (kind == "RSA" or key["crv"] == _CURVES[kind])


def _is_strong(key: RSAKey | ECKey | OKPKey) -> bool:
    return not isinstance(key, RSAKey) or key.public_key.key_size in _RSA_BITS


def refused(reason: str, kind: type[BadIdToken] = BadIdToken) -> BadIdToken:
    """The error that says why."""
    error = kind(
        f"The ID token of your provider is refused: {reason}. Begin again, or tell an admin of your tenant."
    )
    error.reason = reason
    return error


def name_in(claims: Mapping[str, Any], claim: str) -> str | None:
    """What a claim calls somebody or something at the provider; None where it is absent, or cannot be kept."""
    said = claims.get(claim)
    return said if isinstance(said, str) and _SUBJECT.fullmatch(said) else None


def _header(token: str, kinds: Sequence[str]) -> tuple[str, str | None]:
    """The algorithm and the key that a token names. Raises BadIdToken for one that cannot be ours."""
    form = _FORM.fullmatch(token)
    if form is None:
        raise refused("it is no signed token")
    try:
        header = jws.extract_compact(f"{form[1]}.e30.AA".encode()).headers()
    except (JoseError, ValueError, TypeError) as error:
        raise refused("its header cannot be read") from error
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise refused("it is signed by an algorithm that is not taken")
    if "crit" in header or "b64" in header or str(header.get("typ", "")).lower() not in kinds:
        raise refused("it is another kind of token")
    if key_id is not None and not isinstance(key_id, str):
        raise refused("its header cannot be read")
    return algorithm, key_id


def _chosen(keys: Sequence[Jwk], algorithm: str, key_id: str | None) -> Jwk:
    """The one key that can have signed. Without a name, only where there is one of its kind. Raises UnknownKey."""
    fitting = [
        key
        for key in keys
        if key["kty"] == ALGORITHMS[algorithm] and key.get("alg") in (None, algorithm)
        and (key_id is None or key.get("kid") == key_id)
    ]  # fmt: skip
    if len(fitting) != 1:
        raise refused("no key of the provider has signed it", UnknownKey)
    return fitting[0]


def _loaded(key: Jwk) -> RSAKey | ECKey | OKPKey:
    """A key's public half, as the library takes it."""
    public: Any = {"kty": key["kty"], **{name: key[name] for name in _MEMBERS[key["kty"]]}}
    kinds: Mapping[str, type[RSAKey] | type[ECKey] | type[OKPKey]] = {
        "RSA": RSAKey,
        "EC": ECKey,
        "OKP": OKPKey,
    }
    with _quietly():
        return kinds[key["kty"]].import_key(public)


@contextmanager
def _quietly() -> Iterator[None]:
    """The library warns of the name EdDSA, of which few providers use the newer form, and of keys refused here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def check_parties(claims: Mapping[str, Any], issuer: str, client_id: str) -> None:
    """Who made it, and for whom. Raises BadIdToken."""
    if not _same(claims.get("iss"), issuer):
        raise refused("another provider made it")
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or client_id not in named:
        raise refused("it is for another client")
    if (len(named) > 1 or "azp" in claims) and claims.get("azp") != client_id:
        raise refused("it was issued to another client")


def check_times(claims: Mapping[str, Any], now_s: float) -> None:
    """When it was made, and until when it is good. Raises BadIdToken."""
    ends, begins, earliest = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    if not _is_time(ends) or not _is_time(begins) or not _is_time(earliest):
        raise refused("it does not say when it was made, or until when it is good")
    if now_s >= ends + _SKEW_S:
        raise refused("its time is over; perhaps a clock is wrong")
    if max(begins, earliest) > now_s + _SKEW_S:
        raise refused("it comes from the future; perhaps a clock is wrong")
    if begins < now_s - _OLDEST_S - _SKEW_S:
        raise refused("it was made long ago")


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _half_hash(algorithm: str, access_token: str | None) -> str:
    """What `at_hash` must be: the left half of the hash that belongs to the algorithm (Ed25519 has SHA-512)."""
    digest = (sha512 if ALGORITHMS[algorithm] == "OKP" else sha256)((access_token or "").encode()).digest()
    return encoded(digest[: len(digest) // 2])


def _same(said: object, expected: str) -> bool:
    return isinstance(said, str) and compare_digest(said.encode("utf-8", "replace"), expected.encode())
