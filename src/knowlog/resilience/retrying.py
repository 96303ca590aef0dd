"""Trying again: only what may work then, only while there is time, and within a budget of extra load."""

from random import uniform
from threading import Lock

from knowlog.kernel.errors import KnowlogError, LimitReached
from knowlog.resilience.breaker import CircuitOpen
from knowlog.resilience.deadline import DeadlinePassed, remaining_s

EXTRA_LOAD = 0.1
"""Retries by calls, at most."""
MOST_SAVED = 10.0
SHORTEST_WAIT_S = 0.1
LONGEST_WAIT_S = 1.0


class RetryBudget:
    """Each call earns a tenth of a retry, ten are saved at most: an outage cannot double the load that meets it."""

    def __init__(self) -> None:
        self.retried = 0
        self._saved = 0.0
        self._lock = Lock()

    def earn(self) -> None:
        """A call was begun."""
        with self._lock:
            self._saved = min(MOST_SAVED, self._saved + EXTRA_LOAD)

    def spend(self) -> bool:
        """Take one retry; False where none is saved."""
        with self._lock:
            if self._saved < 1:
                return False
            self._saved -= 1
            self.retried += 1
            return True


class Worth:
    """Whether another attempt of one call is worth while, and when."""

    def __init__(self, budget: RetryBudget, attempts: int) -> None:
        self._budget = budget
        self._left = attempts - 1

    def wait_s(self, error: KnowlogError) -> float:
        """Return the seconds to wait until the next attempt. Raises the error where there is to be none."""
        asked_s = float(error.extra.get("retry_after_s", 0)) if isinstance(error, LimitReached) else 0.0
        left_s = remaining_s()
        soon = asked_s <= LONGEST_WAIT_S and (left_s is None or left_s >= 2 * LONGEST_WAIT_S)
        may_help = not error.permanent and not isinstance(error, (CircuitOpen, DeadlinePassed))
        if self._left < 1 or not may_help or not soon or not self._budget.spend():
            raise error
        self._left -= 1
        return asked_s + uniform(SHORTEST_WAIT_S, 2 * SHORTEST_WAIT_S)  # noqa: S311 - so that not all come back at once
