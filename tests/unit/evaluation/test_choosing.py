"""What a tuning tries, what goes on, and what it recommends."""

from dataclasses import replace

import pytest

from knowlog.chunking import ChunkingProfile
from knowlog.evaluation.model import Figure
from knowlog.evaluation.statistics import Interval
from knowlog.evaluation.tuning.choosing import (
    best,
    candidates,
    difference,
    index_of,
    survivors,
    verdict,
    with_pareto,
)
from knowlog.evaluation.tuning.model import Sought, Trial
from knowlog.kernel import new_id
from knowlog.kernel.errors import Invalid

WINDOW = 512
PRESENT = ChunkingProfile.read({}, WINDOW).settled()


def trial(number: int, mean: float, tokens: float, **changes: object) -> Trial:
    made = Trial(number, PRESENT, 0.6, 5, 10, 10, Figure(mean, mean, mean, 10), tokens, 1.0, 0.0, True)
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_present_profile_is_tried_first_and_once() -> None:
    """And no more others than were wanted, the same for the same seed."""
    found = candidates(Sought(configurations=5), PRESENT, WINDOW, 1)
    assert found[0] == PRESENT
    assert len(found) == 6
    assert len({str(each) for each in found}) == 6
    assert found == candidates(Sought(configurations=5), PRESENT, WINDOW, 1)
    assert max(each["size_tokens"] for each in candidates(Sought(), PRESENT, WINDOW, 1)) <= 510


@pytest.mark.parametrize("wrong", [{"sizes": (0,)}, {"sizes": (511,)}, {"overlaps": (0.5,)}], ids=str)
def test_what_no_profile_can_have_is_refused(wrong: dict[str, tuple[float, ...]]) -> None:
    """Sizes below a chunk's least or above the window; an overlap of half and more."""
    with pytest.raises(Invalid):
        candidates(Sought(strategies=("recursive",), **wrong), PRESENT, WINDOW, 1)  # type: ignore[arg-type]


def test_the_first_and_the_better_half_go_on() -> None:
    """However bad the first is."""
    trials = [trial(0, 0.1, 9), trial(1, 0.5, 9), trial(2, 0.9, 9), trial(3, 0.7, 9), trial(4, 0.2, 9)]
    assert [each.number for each in survivors(trials, 1)] == [0, 2, 3]


def test_the_pareto_set_has_what_nothing_beats() -> None:
    """By the target, and by what there is to read; trials on a part of the documents are not among them."""
    trials = [
        trial(0, 0.8, 500),
        trial(1, 0.9, 600),
        trial(2, 0.7, 600),
        trial(3, 0.6, 100),
        trial(4, 1, 1, whole=False),
    ]
    assert [each.number for each in with_pareto(trials) if each.pareto] == [0, 1, 3]


def test_the_best_is_not_much_dearer() -> None:
    """A quarter more to read at most."""
    trials = [
        trial(0, 0.8, 400),
        trial(1, 0.9, 501),
        trial(2, 0.85, 500),
        trial(3, 0.85, 450),
        trial(4, 1, 10, k=3),
    ]
    assert best(trials, trials[0]).number == 3


def test_a_change_is_recommended_only_on_held_out_questions_that_show_it() -> None:
    """Better without doubt, or as good and cheaper."""
    assert verdict(Interval(0.05, 0.01, 0.09, 100), 0.0)[0]
    assert not verdict(Interval(0.05, -0.01, 0.11, 100), 0.0)[0]
    assert verdict(Interval(0.0, -0.005, 0.005, 100), 0.3)[0]
    assert not verdict(Interval(-0.01, -0.03, 0.01, 100), 0.5)[0]


def test_differences_are_paired_by_question() -> None:
    """Those that only one was asked do not count."""
    first, second = (
        trial(0, 0, 0, scores={"a": 0.0, "b": 1.0, "c": 1.0}),
        trial(1, 0, 0, scores={"b": 1.0, "a": 1.0}),
    )
    found = difference(first, second, 1)
    assert (found.mean, found.count) == (0.5, 2)


def test_an_index_of_a_trial_is_found_again() -> None:
    """By tuning and way of cutting, in whatever order that is told."""
    tuning = new_id()
    assert index_of(tuning, PRESENT) == index_of(tuning, dict(reversed(PRESENT.items())))
    assert index_of(tuning, PRESENT) != index_of(new_id(), PRESENT)
