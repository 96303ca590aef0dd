"""How many calls at once a machine bears, found out while it works: a gradient on what they take.

After Netflix's concurrency-limits (Gradient2, https://github.com/Netflix/concurrency-limits) and Envoy's adaptive
concurrency: where calls take no longer than a few times what one takes by itself, more are let in; where they take
longer, they only wait for each other inside, and fewer are. What one takes by itself is seen when few are under way,
and, when there always are many, looked for now and then with few at once. Other work on the machine makes those slow,
too, and passes: what is found quicker is believed at once, what is found slower only bit by bit.
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
"""So many at once hardly wait for each other."""
BELIEVED = 1.1
"""So many times as long as before a call may seem to take by itself, after one more window."""
AGAIN_AFTER = 10
"""Busy windows after which it is measured again, where calls took longer by themselves than was believed."""
PROBE_S = 30.0
"""So long it is measured at most: where few calls end here, few at once say nothing, and only keep others waiting."""


class AdaptiveLimit:
    """`took` is told of each call; `now` says how many may be under way. `clock` tells seconds."""

    def __init__(self, first: int = 16, most: int = 512, clock: Callable[[], float] = monotonic) -> None:
        self._value = float(min(first, most))
        self._most = most
        self._clock = clock
        self._window: list[float] = []
        self._most_at_once = 0
        self._alone_s: float | None = None
        self._busy_windows = 0
        self._probing_since: float | None = None

    @property
    def now(self) -> int:
        """Calls that may be under way."""
        return min(PROBE, self._most) if self._probing else int(self._value)

    @property
    def alone_s(self) -> float | None:
        """What a call takes by itself, as far as it is known."""
        return self._alone_s

    def took(self, began: float, *, under_way: int) -> None:
        """A call that began then has ended, of so many that were under way."""
        if self._probing_since is not None and not self._probing:
            self._stop_probing(0)
        if self._probing_since is not None and began < self._probing_since:
            return  # it still had others beside it
        self._window.append(self._clock() - began)
        self._most_at_once = max(self._most_at_once, under_way)
        if len(self._window) >= WINDOW:
            self._judge(median(self._window), self._most_at_once)
            self._window.clear()
            self._most_at_once = 0

    @property
    def _probing(self) -> bool:
        return self._probing_since is not None and self._clock() - self._probing_since < PROBE_S

    def _stop_probing(self, busy_windows: int) -> None:
        self._probing_since, self._busy_windows = None, busy_windows
        self._window.clear()
        self._most_at_once = 0

    def _judge(self, typical_s: float, at_once: int) -> None:
        if self._probing_since is not None:
            known = self._alone_s
            self._believe(typical_s)
            slower = known is not None and typical_s > BELIEVED * known
            self._stop_probing(PROBE_AFTER - AGAIN_AFTER if slower else 0)
        elif at_once >= self.now:
            self._step(typical_s)
        elif at_once <= PROBE:
            self._believe(typical_s)

    def _believe(self, typical_s: float) -> None:
        """A call takes so long by itself, or less where other work slows the machine down."""
        known = self._alone_s
        self._alone_s = typical_s if known is None else min(typical_s, BELIEVED * known)

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
