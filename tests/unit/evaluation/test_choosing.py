"""What a tuning tries, what goes on, and what it recommends."""

import json
import re
from dataclasses import asdict, replace

import pytest

from knowlog.chunking import ChunkingProfile
from knowlog.evaluation.model import Figure
from knowlog.evaluation.statistics import Interval
from knowlog.evaluation.tuning.choosing import (
    best,
    candidates,
    cheapest,
    difference,
    finds_as_much,
    finds_more,
    index_of,
    judged,
    survivors,
    with_pareto,
)
from knowlog.evaluation.tuning.keeping import sought_of
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


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sizes": (0,)}, "Choose 16 to 510 for each of `sizes` (--size)."),
        ({"sizes": (100, 511)}, "A size of 511 tokens cannot be tried"),
        ({"overlaps": (0.5,)}, "less than 0.5, for each of `overlaps` (--overlap)."),
    ],
    ids=str,
)
def test_what_no_profile_can_have_is_refused(wrong: dict[str, tuple[float, ...]], told: str) -> None:
    """Sizes below a chunk's least or above the window; an overlap of half and more: in the words of a tuning."""
    with pytest.raises(Invalid, match=re.escape(told)):
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


def test_of_numbers_of_passages_that_find_the_same_the_least_is_in_the_pareto_set() -> None:
    """Where a collection has no more passages than that."""
    trials = [trial(0, 0.8, 500, k=10), trial(0, 0.8, 500, k=3), trial(0, 0.8, 500, k=30)]
    assert [each.k for each in with_pareto(trials) if each.pareto] == [3]


def test_the_best_is_not_much_dearer() -> None:
    """A tenth more to read at most, in however many passages; a trial on a part of the documents is no choice."""
    trials = [
        trial(0, 0.8, 400),
        trial(1, 0.9, 441),
        trial(2, 0.85, 440),
        trial(3, 0.85, 420),
        trial(4, 1, 10, whole=False),
    ]
    assert best(trials, trials[0]).number == 3
    small = trial(5, 0.87, 430, k=20)
    assert best([*trials, small], trials[0]) == small


def test_more_passages_alone_are_never_the_best() -> None:
    """They find no less whatever they are of: advice to take them would come again after each time it was taken."""
    trials = [trial(0, 0.8, 400), trial(0, 0.9, 430, k=6)]
    assert best(trials, trials[0]) == trials[0]


def test_the_cheapest_that_finds_as_much_is_a_choice_beside_the_best() -> None:
    """With a fifth less to read at least; what finds less of what both were asked is none."""
    present = trial(0, 0.5, 400, scores={"a": 1.0, "b": 0.0})
    trials = [
        present,
        trial(0, 0.5, 120, k=3, scores={"a": 1.0, "b": 0.0}),
        trial(1, 1.0, 200, scores={"a": 1.0, "b": 1.0}),
        trial(2, 0.0, 50, scores={"a": 0.0, "b": 0.0}),
    ]
    chosen = cheapest(trials, present, 1)
    assert chosen is not None
    assert (chosen.number, chosen.k) == (0, 3)
    assert cheapest([present, trial(1, 1.0, 330, scores={"a": 1.0, "b": 1.0})], present, 1) is None


def test_small_chunks_are_judged_by_as_many_as_cost_what_there_is() -> None:
    """So they are not left behind for holding less each; what is too dear with any number comes last."""
    present = trial(0, 0.8, 400)
    rows = [trial(1, 0.5, 150, k=5), trial(1, 0.85, 430, k=15), trial(1, 0.9, 900, k=30)]
    assert judged(rows, present).k == 15
    dear = judged([trial(2, 0.95, 600, k=3), trial(2, 0.99, 1000, k=5)], present)
    assert dear.k == 3
    going = survivors([present, dear, judged(rows, present), trial(3, 0.1, 100)], 1)
    assert [each.number for each in going] == [0, 1, 3]


def test_a_change_is_recommended_only_on_held_out_questions_that_show_it() -> None:
    """Better without doubt, at a price that is told; or as good without doubt, and cheaper."""
    change, told = finds_more(Interval(0.05, 0.01, 0.09, 100), 0.08)
    assert change
    assert "with 8% more to read" in told
    assert not finds_more(Interval(0.05, -0.01, 0.11, 100), 0.0)[0]
    assert finds_as_much(Interval(0.01, -0.005, 0.02, 500), -0.3)[0]
    assert not finds_as_much(Interval(-0.01, -0.03, 0.01, 500), -0.5)[0]


def test_few_questions_that_end_alike_do_not_show_that_less_is_enough() -> None:
    """Of a hundred none may be lost, and still three in a hundred be lost of those to come: it takes three hundred."""
    change, told = finds_as_much(Interval(0.0, 0.0, 0.0, 299), -0.8)
    assert not change
    assert "that a trial finds as much is not shown" in told
    assert "80% less to read" in told
    assert finds_as_much(Interval(0.0, 0.0, 0.0, 300), -0.8)[0]


def test_differences_are_paired_by_question() -> None:
    """Those that only one was asked do not count."""
    first, second = (
        trial(0, 0, 0, scores={"a": 0.0, "b": 1.0, "c": 1.0}),
        trial(1, 0, 0, scores={"b": 1.0, "a": 1.0}),
    )
    found = difference(first, second, 1)
    assert (found.mean, found.count) == (0.5, 2)


def test_a_tuning_of_an_older_version_is_read() -> None:
    """It judged by one depth and showed others: these are the numbers of passages that it tries if it has yet to run."""
    stored = {"strategies": ["recursive"], "k": 5, "depths": [3, 10], "minutes": 30.0}
    assert sought_of(stored).passages == (5, 3, 10)
    assert sought_of(json.loads(json.dumps(asdict(Sought())))) == Sought()


def test_an_index_of_a_trial_is_found_again() -> None:
    """By tuning and way of cutting, in whatever order that is told."""
    tuning = new_id()
    assert index_of(tuning, PRESENT) == index_of(tuning, dict(reversed(PRESENT.items())))
    assert index_of(tuning, PRESENT) != index_of(new_id(), PRESENT)
