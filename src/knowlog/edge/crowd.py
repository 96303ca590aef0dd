"""In an overload, who asks far more than its share is refused before anybody looks whose key it is."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from knowlog.kernel.errors import Unavailable
from knowlog.resilience import LATER_S, Turns

TOO_MANY = Unavailable(
    "More questions are asked than this server can answer at once. Send this again in a moment.",
    retry_after_s=LATER_S,
)
"""The same for everybody: it is told before anybody knows whom."""


class Crowd:
    """How many questions with each credential, as it was sent, wait for a turn or hold one: nothing is known of its
    holder yet.
    """

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._under_way: Counter[bytes] = Counter()

    @property
    def pressed(self) -> bool:
        """Whether anybody is refused at all."""
        return self._turns.pressed

    def is_too_much(self, credential: bytes) -> bool:
        """Whether one more question with this credential is refused."""
        return self.pressed and self._under_way[credential] >= self._turns.bearable

    def refused(self) -> None:
        """Count a question that was refused."""
        self._turns.turn_away()

    @contextmanager
    def one_more(self, credential: bytes) -> Iterator[Callable[[], None]]:
        """Count a question while it is here, or until what is yielded is called: it has given its turn back, and only
        waits for others. Raises Unavailable for one too many in an overload.
        """
        if self.is_too_much(credential):
            self.refused()
            raise Unavailable(TOO_MANY.detail, **TOO_MANY.extra)
        self._under_way[credential] += 1
        with ExitStack() as counted:
            counted.callback(self._one_less, credential)
            yield counted.close

    def _one_less(self, credential: bytes) -> None:
        self._under_way[credential] -= 1
        if not self._under_way[credential]:
            del self._under_way[credential]


def credential(headers: Mapping[bytes, bytes]) -> bytes:
    """What a request says of its sender, unread."""
    return headers.get(b"authorization") or headers.get(b"cookie", b"")
