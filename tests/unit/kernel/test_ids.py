"""Identifiers sort by time and do not repeat."""

import time
from datetime import UTC, datetime, timedelta

from knowlog.kernel import id_at, new_id


def test_ids_are_version_seven() -> None:
    """The version and variant of RFC 9562."""
    made = new_id()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")


def test_ids_sort_by_time() -> None:
    """A later id is larger."""
    first = new_id()
    time.sleep(0.002)
    assert first < new_id()


def test_ids_do_not_repeat() -> None:
    """Ten thousand made at once differ."""
    assert len({new_id() for _ in range(10_000)}) == 10_000


def test_ids_of_one_process_ascend() -> None:
    """What was made later sorts later, also within a millisecond."""
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)


def test_an_id_does_not_tell_how_many_others_got() -> None:
    """The counter of a millisecond begins anywhere, and not with the first."""
    counters = set()
    for _ in range(20):
        time.sleep(0.0015)
        counters.add(new_id().int >> 64 & 0xFFF)
    assert len(counters) > 10


def test_what_happens_at_a_moment_has_one_id_among_those_of_its_time() -> None:
    """Whoever makes it; another moment or another name has another."""
    moment, name = datetime.now(UTC), new_id()
    made = id_at(moment, name)
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made == id_at(moment, name)
    assert len({made, id_at(moment, new_id()), id_at(moment + timedelta(microseconds=1), name)}) == 3
    assert id_at(moment - timedelta(seconds=1), name) < new_id() < id_at(moment + timedelta(minutes=1), name)
