"""The knapsack with a floor."""

from knowlog.summarizing.fitting import fit


def test_the_best_choice_within_the_window_is_found() -> None:
    """Not the greedy one: 6 and 5 together are worth more than 7 alone."""
    assert fit([7.0, 6.0, 5.0], [10, 6, 5], 9, 11) == [1, 2]


def test_what_cannot_be_met_comes_near() -> None:
    """Below the window, or above it, whichever is nearer to its middle; all there is where that is too little."""
    assert fit([1.0, 1.0], [3, 4], 90, 110) == [0, 1]
    assert fit([1.0, 1.0], [50, 112], 90, 110) == [1]
    assert fit([], [], 90, 110) == []


def test_sentences_worth_nothing_fill_the_floor() -> None:
    """Length is promised, too."""
    assert fit([1.0, 0.0, 0.0], [10, 10, 10], 25, 35) == [0, 1, 2]
