"""How many questions each tenant has asked of this process in the last hour, minute by minute, and how long they took."""

import math
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from time import time

MINUTES = 60
_MOST_TENANTS = 1000
_STEP = 1.1
"""Durations are counted in steps of ten per cent, so that a percentile is as near to the truth."""
_LEAST_MS = 0.1


@dataclass(slots=True)
class _Minute:
    """Questions by the step of their duration, and how many of them were refused or failed."""

    steps: Counter[int] = field(default_factory=Counter)
    failed: int = 0


@dataclass(frozen=True, slots=True)
class PaceOfMinute:
    """Questions that ended in the minute that begins at `at` (seconds of Unix), and their duration."""

    at: int
    questions: int
    failed: int
    p50_ms: float
    p95_ms: float


class Pace:
    """The figures of one process. Of a thousand tenants, those that asked last, an hour is remembered."""

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self.since = int(clock())
        self._clock = clock
        self._tenants: OrderedDict[str, dict[int, _Minute]] = OrderedDict()

    def note(self, tenant: str, seconds: float, *, failed: bool) -> None:
        """Count one question of a tenant."""
        minutes = self._tenants.setdefault(tenant, {})
        self._tenants.move_to_end(tenant)
        present = int(self._clock()) // 60
        if present not in minutes:
            self._forget(minutes, present)
        minute = minutes.setdefault(present, _Minute())
        minute.steps[_step(seconds * 1000)] += 1
        minute.failed += failed

    def of(self, tenant: str) -> list[PaceOfMinute]:
        """The minutes of the last hour in which the tenant asked, oldest first."""
        minutes = self._tenants.get(tenant, {})
        self._forget(minutes, int(self._clock()) // 60)
        return [
            PaceOfMinute(
                at * 60, each.steps.total(), each.failed, _percentile(each.steps, 0.5),
                _percentile(each.steps, 0.95),
            )
            for at, each in sorted(minutes.items())
        ]  # fmt: skip

    def _forget(self, minutes: dict[int, _Minute], present: int) -> None:
        for at in [each for each in minutes if each <= present - MINUTES]:
            del minutes[at]
        while len(self._tenants) > _MOST_TENANTS:
            self._tenants.popitem(last=False)


def _step(ms: float) -> int:
    return max(0, math.ceil(math.log(max(ms, _LEAST_MS) / _LEAST_MS, _STEP)))


def _percentile(steps: Counter[int], share: float) -> float:
    """The upper end of the step in which the question lies that is not faster than `share` of all."""
    left = share * steps.total()
    for step in sorted(steps):
        left -= steps[step]
        if left <= 0:
            return round(_LEAST_MS * _STEP**step, 2)
    return 0.0
