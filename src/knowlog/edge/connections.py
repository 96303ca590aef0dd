"""Which connections are kept when there are too many: those that serve a known caller.

Every other one is only waiting: for headers, for the next request, for a body of somebody unknown. A new
connection is always accepted, and where that is one too many, the one that has waited longest is closed. So a
crowd of strangers closes each other's connections, and whoever sends a request at once is heard, health probes
above all.
"""

from collections import defaultdict
from typing import Protocol

_LEAST_WAITING = 64
"""So many may wait even while the server has as many requests in hand as it takes."""


class Waiting(Protocol):
    """A connection, as far as it can be closed."""

    origin: str

    def evict(self) -> None:
        """Close at once."""


class Connections:
    """The open connections of one process: `most` together, `most_waiting` that wait from one address."""

    def __init__(self, most: int, most_waiting: int) -> None:
        self._most = most
        self._most_waiting = most_waiting
        self._waiting: dict[Waiting, None] = {}
        self._of: defaultdict[str, dict[Waiting, None]] = defaultdict(dict)
        self.open = 0
        self.evicted = 0

    def opened(self, connection: Waiting) -> None:
        """Count a new connection; close another if it is one too many."""
        self.open += 1
        self.wait(connection)
        if len(own := self._of[connection.origin]) > self._most_waiting:
            self._evict(next(iter(own)))
        elif len(self._waiting) > max(_LEAST_WAITING, self._most - (self.open - len(self._waiting))):
            self._evict(next(iter(self._waiting)))

    def closed(self, connection: Waiting) -> None:
        """Count it no longer."""
        self.open -= 1
        self.serve(connection)

    def wait(self, connection: Waiting) -> None:
        """It serves nobody known from now on."""
        self._waiting[connection] = self._of[connection.origin][connection] = None

    def serve(self, connection: Waiting) -> None:
        """It serves a known caller."""
        self._waiting.pop(connection, None)
        own = self._of.get(connection.origin)
        if own is not None:
            own.pop(connection, None)
            if not own:
                del self._of[connection.origin]

    def _evict(self, connection: Waiting) -> None:
        self.serve(connection)
        self.evicted += 1
        connection.evict()
