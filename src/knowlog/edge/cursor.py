"""Cursors of paged lists: opaque to clients, the sort key of the last item to us."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

from knowlog.kernel.errors import BadRequest

_MALFORMED = (
    "The cursor is malformed. Use next_cursor of the previous page as it is, or none for the first page."
)
_LONGEST = 500


def encode_cursor(*key: datetime | UUID | str | int) -> str:
    """Make the cursor that points behind the item with this sort key."""
    return urlsafe_b64encode(orjson.dumps(key, default=str)).decode().rstrip("=")


def decode_cursor(cursor: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """Return the sort key of a cursor, each part of the kind given; None for no cursor.

    Raises BadRequest for a cursor that no list gave out.
    """
    if cursor is None:
        return None
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        parts = orjson.loads(urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)))
        return tuple(_read(part, kind) for part, kind in zip(parts, kinds, strict=True))
    except (NotBase64, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise BadRequest(_MALFORMED) from error


def _read(part: Any, kind: type) -> Any:
    if kind is datetime:
        moment = datetime.fromisoformat(part)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)  # OverflowError where the database could not hold it
    if kind is UUID:
        return UUID(part)
    if not isinstance(part, kind) or (isinstance(part, str) and "\0" in part):
        raise ValueError
    return part
