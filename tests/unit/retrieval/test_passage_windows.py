"""How much of a parent is shown around the child that was found."""

from knowlog.retrieval.windows import Child, grown

FAMILY = [Child(number, number, 10) for number in range(6)]


def test_a_window_grows_to_the_side_that_fits_better() -> None:
    """To the left here, as far as there is room."""
    assert grown(FAMILY, 3, {2: 0.9, 1: 0.8, 4: 0.1}, set(), 30) == (1, 3)


def test_without_a_limit_the_whole_parent_is_shown() -> None:
    """All six."""
    assert grown(FAMILY, 3, {}, set(), None) == (0, 5)


def test_a_window_stops_where_another_begins() -> None:
    """What is shown already is not shown twice."""
    assert grown(FAMILY, 3, {}, {1, 5}, None) == (2, 4)


def test_a_child_that_is_larger_than_the_window_is_shown_alone() -> None:
    """The one that was found is always there."""
    assert grown(FAMILY, 3, {}, set(), 5) == (3, 3)
