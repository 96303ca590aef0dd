"""The circuit breaker: what fails or is slow too often is left alone, then tried with one call at a time.

It opens when half of the last twenty calls failed or were slow. A second later one call at a time is let through as a
probe. The first bad probe opens it again; it closes after so many good probes in a row as would be luck in one case of a
hundred, were the dependency still failing as often as when it opened: three where every call failed, seven where every
second did. So a dependency that comes back is used again at once, and one that fails now and then does not make it flap.

A probe is given twice as long as the longest good call before: one that hangs must not hold up those that would show, a
moment later, that the dependency is back.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic
from typing import Literal

from knowlog.kernel.errors import KnowlogError, Unavailable
from knowlog.resilience.deadline import DeadlinePassed, remaining_s

State = Literal["closed", "open", "half-open"]

WINDOW = 20
LEAST_CALLS = 10
"""Fewer say nothing."""
BAD_SHARE = 0.5
LUCK = 0.01
LEAST_PROBES, MOST_PROBES = 3, 10
OPEN_S = 1.0
PROBE_S = 2.0
"""A probe is given so long at least."""
LATELY_S = 60.0
FAIR_S = 1.0
"""A call that its caller's deadline cut off sooner says nothing of the dependency."""


class CircuitOpen(Unavailable):
    """Not asked, because it has not answered well lately."""

    code = "circuit-open"


class Breaker:
    """The state of one dependency. Safe to use from several threads.

    `slow_s`: a call that takes as long is as bad as one that fails. `clock` tells seconds.
    """

    def __init__(
        self, name: str, slow_s: float = math.inf, open_s: float = OPEN_S, clock: Callable[[], float] = monotonic
    ) -> None:  # fmt: skip
        self.name = name
        self.opened = 0
        self.refused = 0
        self._slow_s = slow_s
        self._open_s = open_s
        self._clock = clock
        self._lock = Lock()
        self._era = 0
        self._bad: deque[bool] = deque(maxlen=WINDOW)
        self._good_s: deque[float] = deque(maxlen=WINDOW)
        self._probe_s: float | None = None
        self._opened_at: float | None = None
        self._probing = False
        self._good_probes = 0
        self._probes_needed = LEAST_PROBES

    @property
    def state(self) -> State:
        """Whether calls are let through, refused, or tried one at a time."""
        if self._opened_at is None:
            return "closed"
        return "half-open" if self._clock() - self._opened_at >= self._open_s else "open"

    @property
    def left_alone(self) -> bool:
        """Whether it has not answered well lately; one that nobody asks any more is of no interest."""
        return self._opened_at is not None and self._clock() - self._opened_at < LATELY_S

    @property
    def bad_share(self) -> float:
        """The share, 0 to 1, of the last calls that failed or were slow."""
        with self._lock:
            return sum(self._bad) / len(self._bad) if self._bad else 0.0

    @contextmanager
    def watch(self) -> Iterator[float | None]:
        """Let the block be one call, and tell it how many seconds it has; None: as many as its caller gives it.

        Raises CircuitOpen. A block that is cancelled says nothing of the dependency, but where the deadline ended it when
        it had been slow.
        """
        era, began = self._admit(), self._clock()
        try:
            yield self._probe_s if self._probing else None
        except Exception as error:
            self._settle(era, self._judge(error, self._clock() - began))
            raise
        except BaseException:
            slow = self._clock() - began >= self._slow_s
            self._settle(era, True if slow and remaining_s() == 0 else None)
            raise
        took_s = self._clock() - began
        if took_s < self._slow_s:
            self._good_s.append(took_s)
        self._settle(era, took_s >= self._slow_s)

    def _judge(self, error: Exception, took_s: float) -> bool | None:
        if isinstance(error, DeadlinePassed) and took_s < min(FAIR_S, self._slow_s):
            return None
        return is_failure(error) or took_s >= self._slow_s

    def _admit(self) -> int:
        """Return the era in which the call begins: what ends in a later one is of no interest any more."""
        with self._lock:
            state = self.state
            if state == "open" or (state == "half-open" and self._probing):
                self.refused += 1
                raise CircuitOpen(
                    f"The {self.name} has not answered well lately and is left alone for a moment. Try again later.",
                    retry_after_s=max(1, math.ceil(self._open_s)),
                )
            self._probing = state == "half-open"
            return self._era

    def _settle(self, era: int, bad: bool | None) -> None:
        with self._lock:
            if era != self._era:
                return
            if self._opened_at is not None:
                self._judge_probe(bad)
            elif bad is not None:
                self._bad.append(bad)
                if len(self._bad) >= LEAST_CALLS and sum(self._bad) >= BAD_SHARE * len(self._bad):
                    self._open()

    def _judge_probe(self, bad: bool | None) -> None:
        self._probing = False
        if bad:
            self._open()
        elif bad is not None:
            self._good_probes += 1
            if self._good_probes >= self._probes_needed:
                self._close()

    def _open(self) -> None:
        if self._opened_at is None:
            self.opened += 1
            self._probes_needed = self._enough_probes()
            self._probe_s = max(PROBE_S, 2 * max(self._good_s)) if self._good_s else None
        self._opened_at = self._clock()
        self._good_probes = 0
        self._era += 1

    def _enough_probes(self) -> int:
        """So many good ones in a row are luck in one case of a hundred, at the share of good calls among the latest."""
        latest = list(self._bad)[-LEAST_CALLS:]
        good = 1 - sum(latest) / len(latest)
        enough = math.ceil(math.log(LUCK) / math.log(good)) if 0 < good < 1 else 0
        return min(MOST_PROBES, max(LEAST_PROBES, enough))

    def _close(self) -> None:
        self._opened_at = None
        self._bad.clear()
        self._era += 1


def is_failure(error: Exception) -> bool:
    """Whether an error speaks against the dependency: not when the request itself was wrong, or what it named absent."""
    if isinstance(error, KnowlogError):
        return not 400 <= error.status < 500 or error.status == 429
    return True
