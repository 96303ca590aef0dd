"""How many documents a server fetches by URL at the same time, and how many of them for one tenant."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from knowlog.kernel.errors import LimitReached

_LATER_S = 5


class Fetches:
    """Those that are under way. Each tenant may have a quarter of them, and the last quarter is for tenants that have
    none: addresses that do not answer hold up their own tenant alone.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: Counter[str] = Counter()

    @contextmanager
    def one_of(self, tenant: str) -> Iterator[None]:
        """Count one while it lasts. Raises LimitReached for one too many."""
        own = self._of[tenant]
        if own >= max(1, self._most // 4) or self._of.total() >= (self._most * 3 // 4 if own else self._most):
            raise LimitReached(
                "Too many documents are being fetched by URL. Try again soon.", retry_after_s=_LATER_S
            )
        self._of[tenant] += 1
        try:
            yield
        finally:
            self._of[tenant] -= 1
            self._of += Counter()  # drops what is down to nothing
