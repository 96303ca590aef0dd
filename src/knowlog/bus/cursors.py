"""Cursors: where an event stands in its tenant's log, as outsiders are told it.

Positions count the events of all tenants, so that whoever sees them knows how much the others do. A cursor is the
position, encrypted and authenticated with a key of the tenant: a keyed digest of it, from which what hides it is derived
(the construction of RFC 5297, SIV, over BLAKE2b). One event has one cursor; which of two comes first cannot be told.
"""

import re
from hashlib import blake2b
from hmac import compare_digest

from knowlog.kernel.errors import Invalid

BEGINNING = "beginning"
CURSOR_PATTERN = f"^({BEGINNING}|[0-9a-f]{{32}})$"
_CURSOR = re.compile(r"[0-9a-f]{32}")
_HALF = 8


def seal(key: bytes, position: int) -> str:
    """The cursor of a position: 32 hexadecimal digits."""
    plain = position.to_bytes(_HALF)
    mark = _digest(key, b"mark", plain)
    return (mark + _joined(plain, _digest(key, b"mask", mark))).hex()


def unseal(key: bytes, cursor: str) -> int:
    """The position of a cursor, 0 of the beginning. Raises Invalid for what is no cursor of this key."""
    if cursor == BEGINNING:
        return 0
    if _CURSOR.fullmatch(cursor):
        raw = bytes.fromhex(cursor)
        mark, hidden = raw[:_HALF], raw[_HALF:]
        plain = _joined(hidden, _digest(key, b"mask", mark))
        if compare_digest(mark, _digest(key, b"mark", plain)):
            return int.from_bytes(plain)
    raise Invalid(
        f"This is no cursor of your log. Send the `cursor` of an event as it is, or {BEGINNING!r} to read from there."
    )


def _digest(key: bytes, purpose: bytes, content: bytes) -> bytes:
    return blake2b(content, key=key, person=purpose, digest_size=_HALF).digest()


def _joined(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
