"""Lanes keep a key in one place; settled numbers may come in any order."""

from hypothesis import given
from hypothesis import strategies as st

from knowlog.bus.adapters.lanes import LANES, Settled, lanes_of


@given(st.integers(1, 40))
def test_every_lane_has_one_owner(members: int) -> None:
    """However many members there are."""
    owned = [lane for rank in range(members) for lane in lanes_of(rank, members)]
    assert sorted(owned) == list(range(LANES))


@given(st.permutations(range(5, 15)), st.integers(0, 10))
def test_what_is_settled_is_the_unbroken_beginning(order: list[int], count: int) -> None:
    """Whatever the order, and when something is settled twice."""
    settled = Settled(5)
    for number in range(5, 15):
        settled.give(number)
    for number in order[:count] * 2:
        settled.settle(number)
    expected = next((number for number in range(5, 15) if number not in order[:count]), 15)
    assert settled.upto == expected


def test_numbers_may_have_gaps() -> None:
    """As offsets have after a compaction or a transaction."""
    settled = Settled(3)
    for number in (3, 7, 9):
        settled.give(number)
    settled.settle(7)
    assert settled.upto == 3
    settled.settle(3)
    assert settled.upto == 8
