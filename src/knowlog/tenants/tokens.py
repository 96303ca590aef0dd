"""Access tokens: JSON Web Tokens signed with Ed25519 (RFC 9864, a case of EdDSA), good for minutes.

Every byte of a token is ours, so a token must be, byte for byte, one that we could have written: header and claims have
one form. That leaves no room for another algorithm, a key in the header, an unknown `crit`, a second `typ` or a claim
that stands there twice. joserfc verifies the signature, for one algorithm, with a key of our own choosing.
"""

import re
import time
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from uuid import UUID

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

_ALGORITHM = "Ed25519"
_ISSUER, _AUDIENCE = "knowlog", "knowlog-api"
_HEADER = re.compile(rb'\{"typ":"at\+jwt","alg":"Ed25519","kid":"([0-9a-f]{32})"\}')
_FORM = re.compile(r"([A-Za-z0-9_-]{80,120})\.([A-Za-z0-9_-]{200,500})\.[A-Za-z0-9_-]{86}")
_LONGEST = 1000
_LONGEST_LIFE_S = 3660
_SKEW_S = 60


class NoToken(Exception):
    """What was offered is no access token of ours, or one that is good no more."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token says: which session of which member of which tenant, until when.

    `guard` is the digest of the token against forged requests, for a session in cookies.
    """

    tenant_id: UUID
    member_id: UUID
    session_id: UUID
    issued_at: int
    expires_at: int
    guard: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A key that signs access tokens."""

    key_id: UUID
    key: Any

    def sign(self, claims: Claims) -> str:
        """Write and sign a token."""
        header = {"typ": "at+jwt", "alg": _ALGORITHM, "kid": self.key_id.hex}
        return jws.serialize_compact(header, _written(claims), self.key, algorithms=[_ALGORITHM])


def read(token: str) -> tuple[UUID, Claims]:
    """The id of the key that a token names, and its claims: not to be believed before `verify`. Raises NoToken."""
    form = _FORM.fullmatch(token) if len(token) <= _LONGEST else None
    header = form and _HEADER.fullmatch(_bytes(form[1]))
    if not form or not header:
        raise NoToken
    payload = _bytes(form[2])
    claims = _claims(payload)
    if _written(claims) != payload:
        raise NoToken
    return UUID(header[1].decode()), claims


def verify(token: str, public_key: bytes, claims: Claims) -> None:
    """Raise NoToken unless the key has signed the token and it is good at this moment."""
    try:
        jws.deserialize_compact(token, public(public_key), algorithms=[_ALGORITHM])
    except (JoseError, ValueError) as error:
        raise NoToken from error
    now = time.time()
    life = claims.expires_at - claims.issued_at
    if not (claims.issued_at - _SKEW_S <= now < claims.expires_at and 0 < life <= _LONGEST_LIFE_S):
        raise NoToken


def public(raw: bytes) -> OKPKey:
    """The public half of a key, as the library takes it."""
    return OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": encoded(raw)})


def is_guarded(token: str, offered: str) -> bool:
    """Whether this is the token against forged requests that belongs to the session of an access token."""
    try:
        return compare_digest(read(token)[1].guard.encode(), guard_of(offered).encode())
    except NoToken:
        return False


def guard_of(token: str) -> str:
    """The digest of a token against forged requests, as an access token names it."""
    return encoded(sha256(token.encode("utf-8", "replace")).digest())[:22]


def encoded(raw: bytes) -> str:
    """Base64 for addresses, without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _written(claims: Claims) -> bytes:
    return orjson.dumps(
        {
            "iss": _ISSUER, "aud": _AUDIENCE, "tid": claims.tenant_id.hex, "sub": claims.member_id.hex,
            "sid": claims.session_id.hex, "iat": claims.issued_at, "exp": claims.expires_at, "grd": claims.guard,
        }
    )  # fmt: skip


def _claims(payload: bytes) -> Claims:
    try:
        said = orjson.loads(payload)
        tenant_id, member_id, session_id = (UUID(said[name]) for name in ("tid", "sub", "sid"))
        begins, ends = said["iat"], said["exp"]
        if type(begins) is not int or type(ends) is not int:
            raise NoToken
        return Claims(tenant_id, member_id, session_id, begins, ends, said["grd"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NoToken from error


def _bytes(text: str) -> bytes:
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except NotBase64 as error:
        raise NoToken from error
    if encoded(raw) != text:
        raise NoToken
    return raw
