"""What keeps messages of one key in order while consumers share the work: a topic has a fixed number of lanes.

A key always falls into the same lane, and a lane belongs to one consumer of a group at a time. Kafka has this by
itself (partitions); for the others the adapters do it with the same numbers.
"""

from collections import deque
from collections.abc import Callable, Sequence
from zlib import crc32

from knowlog.bus.port import Delivery, Message
from knowlog.kernel.errors import TooLarge

LANES = 16
"""More consumers than this of one group find nothing to do."""

FAILS_AFTER_S = 4.5
"""How long a call waits for a broker that does not answer."""


def lane_of(key: str) -> int:
    """The lane of a key; the same in every process."""
    return crc32(key.encode()) % LANES


def lanes_of(rank: int, members: int) -> set[int]:
    """The lanes of the member that is number `rank` of so many."""
    return set(range(rank, LANES, members))


def again(deliveries: Sequence[Delivery], ours: Callable[[Delivery], bool]) -> list[Delivery]:
    """Those that are handed back and are still ours, each with one more attempt."""
    return [Delivery(each.message, each.attempt + 1, each.receipt) for each in deliveries if ours(each)]


def require_size(messages: Sequence[Message], most_bytes: int) -> None:
    """Raise TooLarge before anything is sent, when one of the bodies is too large for the broker."""
    for message in messages:
        if len(message.body) > most_bytes:
            raise TooLarge(
                f"A message of {len(message.body):,} bytes is too large for the broker, which takes {most_bytes:,}."
                " Store the content and send a reference to it."
            )


class Settled:
    """Which of the numbers that were given out are settled. They come ascending and may be settled in any order."""

    def __init__(self, first: int) -> None:
        self.upto = self.committed = first
        """The first number that is not settled; and the last one of these that the broker was told."""
        self._given: deque[int] = deque()
        self._done: set[int] = set()

    def give(self, number: int) -> None:
        """Note that a number was given out."""
        self._given.append(number)

    def settle(self, number: int) -> None:
        """Note that it is settled; once more is no harm."""
        if number < self.upto:
            return
        self._done.add(number)
        while self._given and self._given[0] in self._done:
            self.upto = self._given.popleft() + 1
            self._done.remove(self.upto - 1)
