"""Two legs into one ranking."""

import pytest

from knowlog.retrieval.fusion import fuse


def test_the_weight_decides_between_the_legs() -> None:
    """What is best in the heavier leg comes first."""
    dense, lexical = {1: 0.9, 2: 0.1}, {1: 0.0, 2: 8.0}
    assert [each.chunk_id for each in fuse(dense, lexical, 0.6)] == [1, 2]
    assert [each.chunk_id for each in fuse(dense, lexical, 0.4)] == [2, 1]


def test_being_good_in_both_beats_being_best_in_one() -> None:
    """That is what two legs are for."""
    fused = fuse({1: 0.9, 2: 0.8, 3: 0.1}, {1: 0.1, 2: 7.0, 3: 8.0}, 0.6)
    assert fused[0].chunk_id == 2


def test_scores_lie_between_0_and_1() -> None:
    """A chunk that is best in both legs has 1, one that is worst in both 0."""
    fused = fuse({1: 0.9, 2: 0.5, 3: -0.2}, {1: 30.0, 2: 10.0}, 0.6)
    middle = 0.6 * (0.5 + 0.2) / (0.9 + 0.2) + 0.4 / 3
    assert [each.score for each in fused] == [pytest.approx(1), pytest.approx(middle), 0]


@pytest.mark.parametrize(("dense", "lexical"), [({1: 0.9, 2: 0.5}, {}), ({}, {1: 0.9, 2: 0.5})])
def test_an_empty_leg_leaves_the_decision_to_the_other(
    dense: dict[int, float], lexical: dict[int, float]
) -> None:
    """The remaining leg's order is the order, and its best has 1."""
    fused = fuse(dense, lexical, 0.6)
    assert [each.chunk_id for each in fused] == [1, 2]
    assert fused[0].score == 1


def test_each_leg_reports_its_own_rank_and_score() -> None:
    """For explanations: raw scores, ranks from 1; a leg without a score says nothing."""
    fused = {each.chunk_id: each.legs for each in fuse({1: 0.9, 2: 0.5}, {2: 3.0}, 0.6)}
    assert (fused[2]["dense"].rank, fused[2]["lexical"].rank, fused[2]["lexical"].score) == (2, 1, 3.0)
    assert "lexical" not in fused[1]


def test_ties_are_broken_the_same_way_each_time() -> None:
    """Equal scores come in the order of chunk ids."""
    assert [each.chunk_id for each in fuse({3: 0.5, 1: 0.5, 2: 0.5}, {}, 0.6)] == [1, 2, 3]


def test_nothing_found_is_nothing() -> None:
    """No candidates, no ranking."""
    assert fuse({}, {}, 0.6) == []


def test_among_few_chunks_a_hair_of_meaning_does_not_outweigh_a_word() -> None:
    """Two chunks alike in meaning, of which one alone has the rare word of the question."""
    assert fuse({1: 0.351, 2: 0.349}, {2: 7.0}, 0.6)[0].chunk_id == 2


def test_among_many_chunks_the_lowest_cosine_is_the_foot() -> None:
    """There the scale is the plain min-max."""
    dense = {number: 0.3 + number / 1000 for number in range(200)}
    fused = {each.chunk_id: each.score for each in fuse(dense, {}, 0.6)}
    assert fused[0] == 0.0
    assert fused[199] == 1.0
