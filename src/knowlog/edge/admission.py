"""What one process takes upon itself at once: requests of known callers, and bytes of their bodies.

A stranger takes neither: the caller is found by the headers alone, before the first byte of a body is read.
"""

from collections import Counter
from typing import Protocol

from knowlog.kernel.errors import LimitReached, Unavailable


class Connection(Protocol):
    """The connection on which a request came."""

    def keep(self) -> None:
        """Do not close it for others' sake while this request is served."""


class Admission:
    """Counts what is in hand. One body may be as large as it is allowed to be; the bodies of one tenant together
    take half of the room at most, so that another finds some.
    """

    def __init__(self, requests: int, body_bytes: int) -> None:
        self._most_requests = requests
        self._most_bytes = body_bytes
        self._bytes: Counter[str] = Counter()
        self.requests = 0
        self.bytes = 0

    def enter(self) -> None:
        """Begin a request. Raises Unavailable when as many are in hand as may be."""
        if self.requests >= self._most_requests:
            raise Unavailable("The server has as many requests in hand as it takes. Try again in a second.")
        self.requests += 1

    def leave(self) -> None:
        """End a request."""
        self.requests -= 1

    def hold(self, holder: str, size_bytes: int, has_bytes: int) -> None:
        """Make room for so many more bytes of a body that has `has_bytes` already. Raises LimitReached."""
        of_others = self.bytes - has_bytes
        of_own_others = self._bytes[holder] - has_bytes
        body = has_bytes + size_bytes
        if (of_others and of_others + body > self._most_bytes) or (
            of_own_others and of_own_others + body > self._most_bytes // 2
        ):
            raise LimitReached(
                "Too many bytes of uploads are under way. Nothing was stored; send this again in a moment.",
                retry_after_s=2,
            )
        self._bytes[holder] += size_bytes
        self.bytes += size_bytes

    def let_go(self, holder: str, size_bytes: int) -> None:
        """Give room back."""
        self.bytes -= size_bytes
        self._bytes[holder] -= size_bytes
        if not self._bytes[holder]:
            del self._bytes[holder]


class Stay:
    """What one request has taken of an Admission. Nothing, until its caller is known."""

    def __init__(self, admission: Admission, connection: Connection | None) -> None:
        self._admission = admission
        self._connection = connection
        self._holder: str | None = None
        self._bytes = 0

    def begin(self, holder: str) -> None:
        """The caller is known: `holder` is the tenant, or the operator. Raises Unavailable."""
        self._admission.enter()
        self._holder = holder
        if self._connection is not None:
            self._connection.keep()

    def take(self, size_bytes: int) -> None:
        """Take room for so many more bytes in memory. Raises LimitReached."""
        self._admission.hold(self._holder or "", size_bytes, self._bytes)
        self._bytes += size_bytes

    def end(self) -> None:
        """Give everything back."""
        if self._bytes:
            self._admission.let_go(self._holder or "", self._bytes)
        if self._holder is not None:
            self._admission.leave()
        self._bytes, self._holder = 0, None
