"""Which part of a file a request asks for (RFC 9110, 14)."""

import re
from typing import ClassVar

from knowlog.kernel.errors import KnowlogError

_ONE = re.compile(r"bytes=(\d{0,4000})-(\d{0,4000})")  # Python reads numbers of so many digits


class RangeNotSatisfiable(KnowlogError):
    """The file has no such bytes."""

    status: ClassVar[int] = 416
    code: ClassVar[str] = "range-not-satisfiable"


def wanted_span(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """Return the span [start, end) that a Range header asks for; None for the whole file.

    Several ranges, other units and what is no range are passed over, as the standard allows: then the whole file is
    sent. Raises RangeNotSatisfiable for a range that begins behind the end.
    """
    found = _ONE.fullmatch(header.strip()) if header else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        start, end = max(0, size_bytes - int(found[2])), size_bytes
    else:
        start, end = int(found[1]), min(size_bytes, int(found[2]) + 1 if found[2] else size_bytes)
    if found[1] and found[2] and int(found[2]) < start:
        return None
    if start >= size_bytes:
        raise RangeNotSatisfiable(f"The file has {size_bytes:,} bytes. Ask for a range that begins before.")
    return start, end
