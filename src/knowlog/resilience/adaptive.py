"""How many calls at once a machine bears, found out while it works: a gradient on what they take.

After Netflix's concurrency-limits (Gradient2, https://github.com/Netflix/concurrency-limits) and Envoy's adaptive
concurrency: where calls take no longer than a few times what one takes by itself, more are let in; where they take
longer, they only wait for each other inside, and fewer are. What one takes by itself is seen when there is little to
do, and, when there always is much, looked for now and then with few at once.
"""

from collections.abc import Callable
from math import sqrt
from statistics import median
from time import monotonic

TOLERANCE = 2.0
"""So many times as long as by itself a call may take."""
WINDOW = 30
"""Calls from which one step is judged."""
SMOOTHING = 0.2
PROBE_AFTER = 200
"""Busy windows after which what a call takes by itself is measured again."""
LEAST = 8
"""Fewer are never let in: so many wait for each other in any process, and bursts of a few are no overload."""
PROBE = 4


class AdaptiveLimit:
    """`took` is told of each call; `now` says how many may be under way. `clock` tells seconds."""

    def __init__(self, first: int = 16, most: int = 512, clock: Callable[[], float] = monotonic) -> None:
        self._value = float(min(first, most))
        self._most = most
        self._clock = clock
        self._window: list[float] = []
        self._was_full = False
        self._alone_s: float | None = None
        self._busy_windows = 0
        self._probing_since: float | None = None

    @property
    def now(self) -> int:
        """Calls that may be under way."""
        return PROBE if self._probing_since is not None else int(self._value)

    @property
    def alone_s(self) -> float | None:
        """What a call takes by itself, as far as it is known."""
        return self._alone_s

    def took(self, began: float, *, full: bool) -> None:
        """A call that began then has ended; `full`: as many were under way as may be."""
        if self._probing_since is not None and began < self._probing_since:
            return  # it still had others beside it
        self._window.append(self._clock() - began)
        self._was_full = self._was_full or full
        if len(self._window) >= WINDOW:
            self._judge(median(self._window))
            self._window.clear()
            self._was_full = False

    def _judge(self, typical_s: float) -> None:
        if self._probing_since is not None:
            self._alone_s, self._probing_since, self._busy_windows = typical_s, None, 0
        elif not self._was_full:
            self._alone_s = typical_s if self._alone_s is None else (2 * self._alone_s + typical_s) / 3
        else:
            self._step(typical_s)

    def _step(self, typical_s: float) -> None:
        self._busy_windows += 1
        if self._alone_s is None or self._busy_windows >= PROBE_AFTER:
            self._probing_since = self._clock()
            return
        self._alone_s = min(self._alone_s, typical_s)
        gradient = max(0.5, min(1.0, TOLERANCE * self._alone_s / max(typical_s, 1e-6)))
        wanted = gradient * self._value + sqrt(self._value)
        stepped = (1 - SMOOTHING) * self._value + SMOOTHING * wanted
        self._value = min(float(self._most), max(float(LEAST), stepped))
