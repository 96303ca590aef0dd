"""Metrics, against values worked out by hand."""

import math

import pytest

from knowlog.evaluation import answer_inside, mean, ndcg, overlap, percentile, ranked, recall, word_overlap


def test_equal_scores_are_ordered_by_id_highest_first() -> None:
    """Ties are broken as trec_eval breaks them."""
    assert ranked({"a": 1.0, "c": 0.5, "b": 0.5, "d": 2.0}) == ["d", "a", "c", "b"]


def test_ndcg_of_the_best_order_is_one() -> None:
    """The ideal ranking collects all there is."""
    assert ndcg(["a", "b", "x"], {"a": 2, "b": 1}, 10) == 1.0


def test_ndcg_discounts_by_rank() -> None:
    """One relevant text at rank 3: 1 / log2(4) = 0.5."""
    assert ndcg(["x", "y", "a"], {"a": 1}, 10) == pytest.approx(0.5)


def test_ndcg_uses_graded_gains() -> None:
    """(1 + 2/log2 3) / (2 + 1/log2 3), worked out by hand: 0.8597."""
    assert ndcg(["b", "a"], {"a": 2, "b": 1}, 10) == pytest.approx(0.8597, abs=1e-4)


def test_ndcg_cuts_ranking_and_ideal_at_k() -> None:
    """With k = 1 only the first text counts, also in the ideal."""
    assert ndcg(["b", "a"], {"a": 1, "b": 1}, 1) == 1.0
    assert ndcg(["x", "a"], {"a": 1}, 1) == 0.0


def test_ndcg_ignores_what_was_judged_irrelevant() -> None:
    """Negative and zero judgements neither gain nor belong to the ideal."""
    assert ndcg(["n", "a"], {"n": -1, "a": 1, "z": 0}, 10) == pytest.approx(1 / math.log2(3))


def test_a_question_without_a_relevant_text_scores_zero() -> None:
    """There is nothing to gain."""
    assert ndcg(["a"], {"a": 0}, 10) == 0.0
    assert recall(["a"], {"a": 0}, 10) == 0.0


def test_recall_counts_the_relevant_within_k() -> None:
    """Two of four relevant texts are among the first three."""
    relevance = {"a": 1, "b": 2, "c": 1, "d": 1, "e": 0}
    assert recall(["a", "x", "b", "c"], relevance, 3) == 0.5


def test_overlap_is_the_share_of_the_exact_result() -> None:
    """Order within the first k does not count."""
    assert overlap([3, 1, 9], [1, 2, 3], 3) == pytest.approx(2 / 3)
    assert overlap([], [], 10) == 1.0


def test_an_answer_is_found_whatever_its_white_space() -> None:
    """A line break inside the quote does not hide the answer; another case does."""
    assert answer_inside("won by the Denver\n Broncos in 2016", ["Carolina", "Denver Broncos"])
    assert not answer_inside("denver broncos", ["Denver Broncos"])
    assert not answer_inside("anything", ["  "])


def test_word_overlap_is_the_f1_of_bags() -> None:
    """Two common words out of 3 and 2: 2·2 / 5."""
    assert word_overlap("the red Fox", "red fox") == pytest.approx(0.8)
    assert word_overlap("", "") == 1.0
    assert word_overlap("word", "") == 0.0


def test_percentiles_are_linear_between_neighbours() -> None:
    """As numpy computes them."""
    assert percentile([4, 1, 3, 2], 50) == 2.5
    assert percentile([10, 20], 95) == pytest.approx(19.5)
    assert percentile([7], 99) == 7
    with pytest.raises(ValueError):
        percentile([], 50)


def test_the_mean_of_nothing_is_zero() -> None:
    """A benchmark that asked nothing reports 0."""
    assert mean([]) == 0.0
    assert mean([1, 2]) == 1.5
