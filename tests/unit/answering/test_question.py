"""Questions: read, weighed, or refused with a reason."""

import pytest

from knowlog.answering import valid_question
from knowlog.answering.question import LONGEST_QUESTION, read_question
from knowlog.kernel.errors import Invalid
from knowlog.stores import TermStatistics, WeighedTerm


def statistics(chunk_count, **frequencies):
    """Return what a collection of so many chunks knows of lexemes with these inverse frequencies."""
    return TermStatistics(
        tuple(WeighedTerm(word, 1, 1, idf, ()) for word, idf in frequencies.items()), chunk_count
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [("  \n", "empty"), ("x" * (LONGEST_QUESTION + 1), "4,000"), ("a\x00b", "U+0000"), ("a\ud800", "U+D800")],
)
def test_a_question_that_cannot_be_asked_is_refused_with_its_reason(text, said):
    """Empty, overlong and control characters: each is Invalid and the sentence names the fault."""
    with pytest.raises(Invalid, match=said.replace("+", r"\+")):
        valid_question(text)


def test_outer_white_space_is_dropped():
    """A question is asked without the white space around it."""
    assert valid_question(" Who?\n") == "Who?"


def test_rare_words_weigh_more_than_common_ones():
    """With statistics, the share of a rare word is larger, and shares add up to 1."""
    weights = read_question("pump warranty", statistics(1000, pump=0.1, warranti=6.0)).weights
    assert weights["warranti"] > 10 * weights["pump"]
    assert sum(weights.values()) == pytest.approx(1)


def test_in_a_handful_of_chunks_words_weigh_nearly_alike():
    """Frequencies among three chunks are chance, and are hardly believed."""
    weights = read_question("pump warranty", statistics(3, pump=0.13, warranti=2.0)).weights
    assert weights["warranti"] < 1.2 * weights["pump"]


@pytest.mark.parametrize("text", ["?!", "😀", "who is it", "为什么", "מה זה"])
def test_questions_without_content_words_are_read(text):
    """Nothing but marks or stop words is still a question, with shares that add up to 1 or to nothing."""
    assert sum(read_question(text).weights.values()) == pytest.approx(1) or not read_question(text).weights
