"""Guards and deadlines: what is tried again, what is cut off, who is refused."""

import asyncio
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

from knowlog.kernel.errors import Invalid, LimitReached, Unavailable
from knowlog.resilience import (
    Breaker,
    BulkheadFull,
    DeadlinePassed,
    Guard,
    Policy,
    deadline,
    dependencies,
    guard_of,
    guarded,
    remaining_s,
    time_limit,
    within,
)

GUIDE = Path(__file__).parents[3] / "docs/guide/language-models.md"


class Failing:
    """Fails so often, then answers; counts its calls."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._times = times
        self._error = error or Unavailable("down")

    async def ask(self) -> str:
        return self.ask_sync()

    def ask_sync(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return "answer"


def saving(guard: Guard) -> Guard:
    for _ in range(30):
        guard.budget.earn()
    return guard


async def test_a_failure_is_tried_again() -> None:
    """Once, and the second answer is the answer; of coroutines and of functions."""
    guard = saving(Guard("thing", Policy()))
    assert await guard.run(Failing(1).ask) == "answer"
    assert guard.run_sync(Failing(1).ask_sync) == "answer"
    assert guard.look().retried == 2


@pytest.mark.parametrize("error", [Invalid("wrong"), LimitReached("later", retry_after_s=30)])
async def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    """What was wrong, and what asks for a longer pause than anybody waits."""
    failing = Failing(1, error)
    with pytest.raises(type(error)):
        await saving(Guard("thing", Policy())).run(failing.ask)
    assert failing.calls == 1


async def test_retries_add_a_tenth_to_the_load_at_most() -> None:
    """Nine tenths of the calls succeed, the rest fail for good."""
    guard, calls = Guard("thing", Policy()), 0
    for count in range(100):
        failing = Failing(9 if count % 10 == 9 else 0)
        with pytest.raises(Unavailable) if count % 10 == 9 else within(None):
            await guard.run(failing.ask)
        calls += failing.calls
    assert 100 < calls <= 110


async def test_a_retry_keeps_to_the_deadline() -> None:
    """With half a second left, the first failure is the last."""
    failing = Failing(1)
    with pytest.raises(Unavailable), within(0.5):
        await saving(Guard("thing", Policy())).run(failing.ask)
    assert failing.calls == 1


async def test_who_is_too_many_is_refused_at_once() -> None:
    """Two are under way, the third is told so, and a place that was left is free again."""
    guard, gate = Guard("thing", Policy(at_once=2)), asyncio.Event()
    first = [asyncio.create_task(guard.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(BulkheadFull):
        await guard.run(gate.wait)
    gate.set()
    await asyncio.gather(*first)
    assert await guard.run(gate.wait) is True


async def test_a_call_is_cut_off_in_time() -> None:
    """By the guard's own limit, or by the deadline of the request where that is earlier."""
    for limit_s, request_s in ((0.02, 10.0), (10.0, 0.02)):
        with pytest.raises(DeadlinePassed, match="The thing did not answer in time"), within(request_s):
            await Guard("thing", Policy(timeout_s=limit_s)).run(asyncio.sleep, 5)


async def test_the_guard_learns_of_a_call_that_the_deadline_cuts_off() -> None:
    """Though the limit around it ends at the same moment."""
    guard = Guard("thing", Policy(timeout_s=10, slow_s=0.03))
    for _ in range(10):
        with pytest.raises(DeadlinePassed):
            async with time_limit(0.05, "The question"):
                await guard.run(asyncio.sleep, 5)
    assert guard.breaker.state == "open"


async def test_a_deadline_travels_and_never_grows() -> None:
    """Into tasks that are begun, and into longer limits inside."""

    async def left() -> float | None:
        with within(60):
            return remaining_s()

    with within(5):
        assert 0 < (await asyncio.create_task(left()) or 0) <= 5
    assert remaining_s() is None


async def test_decorators_keep_form_and_name() -> None:
    """Bare and called, of coroutines and of functions."""

    @deadline
    async def first() -> int:
        """Answer."""
        return 1

    @deadline(0.01)
    async def late() -> None:
        await asyncio.sleep(5)

    @guarded
    def second(given: int) -> int:
        return given

    @guarded(name="third thing", policy=Policy(attempts=1))
    async def third() -> int:
        return 3

    assert (await first(), second(2), await third()) == (1, 2, 3)
    assert [inspect.iscoroutinefunction(each) for each in (first, second, third)] == [True, False, True]
    assert (first.__doc__, third.__name__) == ("Answer.", "third")
    with pytest.raises(DeadlinePassed):
        await late()
    assert "third thing" in [each.name for each in dependencies()]


async def test_the_code_of_the_guide_runs() -> None:
    """As it stands there."""
    found = re.search(r"test_guard.py -->\n```python\n(.*?)```", GUIDE.read_text(), re.S)
    assert found, "the guide has lost its example"
    names: dict[str, Any] = {}
    exec(found[1], names)
    assert await names["soon"]() == "fair"


def test_there_is_one_guard_for_a_name() -> None:
    """What one caller has learnt holds for all; another policy makes another guard."""
    assert guard_of("shared thing") is guard_of("shared thing")
    assert guard_of("shared thing", Policy(at_once=1)) is guard_of("shared thing", Policy(at_once=1))


async def test_a_probe_that_hangs_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Long before the time that any other call has: who comes next may be the one that closes the breaker."""
    monkeypatch.setattr("knowlog.resilience.breaker.PROBE_S", 0.05)
    guard = Guard("hanging thing", Policy(timeout_s=30, attempts=1))
    guard.breaker = Breaker(guard.name, open_s=0.01)
    assert await guard.run(Failing(0).ask) == "answer"
    while guard.breaker.state == "closed":
        with pytest.raises(Unavailable):
            await guard.run(Failing(1).ask)
    await asyncio.sleep(0.02)
    async with asyncio.timeout(5):
        with pytest.raises(DeadlinePassed):
            await guard.run(asyncio.sleep, 30)
