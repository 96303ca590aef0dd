"""What one process takes upon itself at once: requests of known callers, and bytes held in memory for them.

A stranger takes neither: the caller is found by the headers alone, before the first byte of a body is read. And no
tenant takes all: it has a share of the places, so that the others find some.
"""

from collections import Counter
from typing import Protocol

from knowlog.kernel.errors import LimitReached, Unavailable
from knowlog.kernel.wording import counted

_LATER_S = 2


class Connection(Protocol):
    """The connection on which a request came."""

    def keep(self) -> None:
        """Do not close it for others' sake while this request is served."""

    def evict(self) -> None:
        """Close at once, whatever is still to be sent."""


class Places:
    """So many places for requests, of which one holder has `most_each`."""

    def __init__(self, most: int, most_each: int) -> None:
        self._most = most
        self._most_each = most_each
        self._of: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._of.total()

    def enter(self, holder: str) -> None:
        """Take a place. Raises LimitReached when the holder has its share, Unavailable when all are taken."""
        if self._of[holder] >= self._most_each:
            raise LimitReached(
                f"Your tenant has {counted(self._most_each, 'request')} under way, which is its share of this server. "
                "Nothing was done; send this again when some are answered.",
                retry_after_s=_LATER_S,
            )
        if self.taken >= self._most:
            raise Unavailable("The server has as many requests in hand as it takes. Try again in a second.")
        self._of[holder] += 1

    def leave(self, holder: str) -> None:
        """Give a place back."""
        self._of[holder] -= 1
        if not self._of[holder]:
            del self._of[holder]


class Admission:
    """Counts what is in hand. `share` is the part of all places that one tenant may hold, and at least one.

    A request whose body is still coming has a place of its own kind (`arriving`): bodies that do not come hold up no
    work. One body, or answer, may be as large as it is allowed to be; those of one tenant together take half of the
    room at most.
    """

    def __init__(self, requests: int, room_bytes: int, share: float = 1.0) -> None:
        each = max(1, int(requests * share))
        self.working = Places(requests, each)
        self.arriving = Places(requests, each)
        self._most_bytes = room_bytes
        self._bytes: Counter[str] = Counter()
        self.bytes = 0

    def hold(self, holder: str, size_bytes: int, has_bytes: int) -> None:
        """Make room for so many more bytes of a request that has `has_bytes` already. Raises LimitReached."""
        of_others = self.bytes - has_bytes
        of_own_others = self._bytes[holder] - has_bytes
        whole = has_bytes + size_bytes
        if (of_others and of_others + whole > self._most_bytes) or (
            of_own_others and of_own_others + whole > self._most_bytes // 2
        ):
            raise LimitReached(
                "Too many bytes of uploads and large answers are under way. Nothing was stored; send this again in a "
                "moment.",
                retry_after_s=_LATER_S,
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
    """What one request has taken of an Admission. Nothing, until its caller is known.

    `arriving`: it has a body, which has not come yet.
    """

    def __init__(
        self, admission: Admission, connection: Connection | None = None, *, arriving: bool = False
    ) -> None:
        self._admission = admission
        self._connection = connection
        self._arriving = arriving
        self._places: Places | None = None
        self._holder = ""
        self._bytes = 0

    def begin(self, holder: str) -> None:
        """The caller is known: `holder` is the tenant, or the operator. Raises LimitReached or Unavailable."""
        places = self._admission.arriving if self._arriving else self._admission.working
        places.enter(holder)
        self._places, self._holder = places, holder
        if self._connection is not None:
            self._connection.keep()

    def arrived(self) -> None:
        """The body is here whole: what follows is work. Raises LimitReached or Unavailable."""
        self._arriving = False
        if self._places is self._admission.arriving:
            self._admission.working.enter(self._holder)
            self._places.leave(self._holder)
            self._places = self._admission.working

    def take(self, size_bytes: int) -> None:
        """Take room for so many more bytes in memory. Raises LimitReached."""
        self._admission.hold(self._holder, size_bytes, self._bytes)
        self._bytes += size_bytes

    def cut(self) -> None:
        """Close the connection at once, without the rest of the answer."""
        if self._connection is not None:
            self._connection.evict()

    def end(self) -> None:
        """Give everything back."""
        if self._bytes:
            self._admission.let_go(self._holder, self._bytes)
        if self._places is not None:
            self._places.leave(self._holder)
        self._bytes, self._places, self._holder = 0, None, ""
