"""When something is due again."""

from datetime import UTC, datetime, timedelta

import pytest

from knowlog.bus import Timetable
from knowlog.kernel.errors import Invalid

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)


def test_a_cron_expression_counts_in_its_time_zone() -> None:
    """Three in the night of Berlin is two in UTC in winter, one in summer, which began in between."""
    nightly = Timetable(cron="0 3 * * *", timezone="Europe/Berlin")
    first = nightly.next_after(NOON - timedelta(days=1))
    second = nightly.next_after(first)
    assert [each.astimezone(UTC).hour for each in (first, second)] == [2, 1]


def test_every_so_many_seconds_does_not_drift() -> None:
    """It is counted from the time that was due, not from when somebody came."""
    late = NOON + timedelta(seconds=7)
    assert Timetable(every_s=60).next_after(late, NOON) == NOON + timedelta(seconds=60)


def test_what_was_missed_is_one_next_time() -> None:
    """After a week nobody makes up for each hour of it."""
    later = NOON + timedelta(days=7, seconds=1)
    assert Timetable(every_s=3600).next_after(later, NOON) == NOON + timedelta(days=7, hours=1)
    assert Timetable(cron="0 * * * *").next_after(later, NOON) == NOON + timedelta(days=7, hours=1)


@pytest.mark.parametrize(
    "wrong",
    [
        Timetable(), Timetable(cron="0 3 * * *", every_s=60), Timetable(cron="0 3 * *"), Timetable(cron="61 * * * *"),
        Timetable(cron="0 0 3 * * *"), Timetable(cron="x"), Timetable(cron="0 3 * * *", timezone="Mars/Phobos"),
        Timetable(cron="0 3 * * *", timezone="../../etc/passwd"), Timetable(cron="0 3 * * *", timezone=""),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told(wrong: Timetable) -> None:
    """In a sentence."""
    with pytest.raises(Invalid) as told:
        wrong.check()
    assert told.value.detail.endswith(".")


def test_a_day_that_never_comes_is_told() -> None:
    """The thirtieth of February."""
    with pytest.raises(Invalid):
        Timetable(cron="0 0 30 2 *").next_after(NOON)
