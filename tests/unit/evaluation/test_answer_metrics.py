"""Metrics of answers: SQuAD's two against its published scorer's steps, the others by hand."""

import collections
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.evaluation import (
    abstention,
    answer_f1,
    answer_relevance,
    citation_precision,
    citation_recall,
    exact_match,
    faithful_share,
    reading_cost,
)

_TEXTS = st.lists(
    st.sampled_from(["The", "a", "Bridge", "bridge,", "1932", "opened.", "an", "(May)", "-", "théâtre"]),
    max_size=7,
).map(" ".join)


def _squad_tokens(text: str) -> list[str]:
    """The steps of SQuAD's evaluation script: lower case, punctuation, articles, white space."""
    text = "".join(each for each in text.lower() if each not in set(string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def _squad_f1(found: str, known: str) -> float:
    left, right = _squad_tokens(found), _squad_tokens(known)
    if not left or not right:
        return float(left == right)
    same = sum((collections.Counter(left) & collections.Counter(right)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(left), same / len(right)
    return 2 * precision * recall / (precision + recall)


@given(_TEXTS, st.lists(_TEXTS, min_size=1, max_size=3))
def test_answers_are_scored_as_squad_scores_them(found, known) -> None:
    """Exact match and F1 against the best of the known answers."""
    assert exact_match(found, known) == max(
        float(_squad_tokens(found) == _squad_tokens(each)) for each in known
    )
    assert answer_f1(found, known) == pytest.approx(max(_squad_f1(found, each) for each in known))


def test_an_answer_to_the_question_is_relevant() -> None:
    """The mean cosine of the statements, none of them below 0; no statement, no relevance."""
    question = np.array([1, 0], np.float32)
    statements = np.array([[1, 0], [0.6, 0.8], [-1, 0]], np.float32)
    assert answer_relevance(question, statements) == pytest.approx(1.6 / 3)
    assert answer_relevance(question, np.empty((0, 2), np.float32)) == 0


def test_the_share_of_supported_claims() -> None:
    """Two of three; an answer that claims nothing is faithful."""
    assert faithful_share([True, True, False]) == pytest.approx(2 / 3)
    assert faithful_share([]) == 1


def test_citations_are_held_against_what_answers() -> None:
    """One of two citations touches one of two passages that answer; a border is not touched."""
    wanted = [("a.md", 10, 20), ("b.md", 0, 5)]
    cited = [("a.md", 15, 30), ("b.md", 5, 9)]
    assert (citation_precision(cited, wanted), citation_recall(cited, wanted)) == (0.5, 0.5)
    assert (citation_precision([], wanted), citation_recall([], wanted)) == (0, 0)
    with pytest.raises(ValueError, match="nothing is known"):
        citation_recall(cited, [])


def test_abstaining_is_right_where_nothing_answers() -> None:
    """And wrong elsewhere, as answering is the other way round."""
    assert [abstention(True, False), abstention(False, True), abstention(True, True), abstention(False, False)] == [
        1, 1, 0, 0,
    ]  # fmt: skip


def test_reading_costs_by_the_token() -> None:
    """Two thousand tokens at 2.50 a million."""
    assert reading_cost(2_000, 2.5) == pytest.approx(0.005)
