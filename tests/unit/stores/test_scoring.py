"""BM25 of texts that stand in no index."""

import pytest

from knowlog.stores import score_texts

TEXTS = ("The probe is cleaned with water.", "The probe is kept dry.", "Water and water again.", "")


def test_a_text_with_more_of_the_rare_words_scores_higher() -> None:
    """Both words of the question stand in the first alone."""
    scores = score_texts(TEXTS, "How is the probe cleaned with water?")
    assert max(scores, key=scores.__getitem__) == 0


def test_texts_without_a_word_of_the_question_have_no_score() -> None:
    """Neither the empty one nor those on other things."""
    assert set(score_texts(TEXTS, "cleaned")) == {0}
    assert score_texts(TEXTS, "zebra") == {}


def test_a_word_weighs_as_bm25_says() -> None:
    """ln(1 + (N - df + 0.5) / (df + 0.5)), times the count with its norm (k1 = 1.2, b = 0.75)."""
    (alone,) = score_texts(["water"], "water").values()
    assert alone == pytest.approx(0.2877 * 2.2 / (1 + 1.2 * (0.25 + 0.75 / 136)), rel=0.03)
