"""What a process remembers of its tenants' questions."""

import pytest

from knowlog.edge import Pace


class Clock:
    """Seconds, as they are set."""

    def __init__(self) -> None:
        self.seconds = 6000.0

    def __call__(self) -> float:
        return self.seconds


def test_percentiles_are_right_to_ten_per_cent() -> None:
    """Of a hundred durations of 1 to 100 ms."""
    pace = Pace(Clock())
    for ms in range(1, 101):
        pace.note("alice", ms / 1000, failed=ms > 98)
    (minute,) = pace.of("alice")
    assert (minute.at, minute.questions, minute.failed) == (6000, 100, 2)
    assert minute.p50_ms == pytest.approx(50, rel=0.11)
    assert minute.p95_ms == pytest.approx(95, rel=0.11)


def test_an_hour_is_remembered_and_no_more() -> None:
    """What is older is gone, also where nobody asks any more."""
    clock = Clock()
    pace = Pace(clock)
    pace.note("alice", 0.01, failed=False)
    clock.seconds += 30 * 60
    pace.note("alice", 0.02, failed=False)
    clock.seconds += 31 * 60
    assert [each.at for each in pace.of("alice")] == [6000 + 30 * 60]


def test_one_tenant_sees_nothing_of_another() -> None:
    """Not even that there was a question."""
    pace = Pace(Clock())
    pace.note("alice", 0.01, failed=False)
    assert pace.of("charlie") == []


def test_of_very_many_tenants_those_are_remembered_that_asked_last() -> None:
    """So that memory is bounded whatever happens."""
    pace = Pace(Clock())
    for number in range(1500):
        pace.note(str(number), 0.01, failed=False)
    assert pace.of("0") == []
    assert len(pace.of("1499")) == 1
