"""What patterns draw from a question, without a database."""

import time

import pytest

from knowlog.retrieval.dense import Questions
from knowlog.retrieval.fusion import fuse
from knowlog.retrieval.looking import Candidates
from knowlog.retrieval.patterns.adaptive import agreement, doubt_of
from knowlog.retrieval.patterns.corrective import numbers_in
from knowlog.retrieval.patterns.decomposition import parts_of
from knowlog.retrieval.patterns.drafting import begun
from knowlog.retrieval.patterns.filtered import values_in
from knowlog.retrieval.patterns.multi_query import variations
from knowlog.stores import TermStatistics, WeighedTerm


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("Who founded the firm and what did the first pump cost?", 2),
        ("Compare the 2022 report versus the 2023 report; name the auditor of both", 3),
        ("What do research and development cost?", 0),
        ("When are invoices paid?", 0),
        ("and or; ? and", 0),
        ("", 0),
    ],
)
def test_a_question_has_the_parts_that_each_say_something(question: str, parts: int) -> None:
    """A part of one word is none: it goes with its neighbour."""
    assert len(parts_of(question)) == parts


def test_nobody_can_have_more_parts_than_four_looked_for() -> None:
    """However many a question has."""
    assert len(parts_of(" and ".join(["one pump stops"] * 500))) == 4


def test_shorter_forms_leave_out_what_says_nothing_and_then_what_is_common() -> None:
    """In the order of the question; a short question has no shorter form."""
    rarity = {"pump": 1.0, "stop": 2.0, "fault": 3.0, "gasket": 4.0}
    known = TermStatistics(tuple(WeighedTerm(each, 1, 1, rarity[each], ()) for each in rarity), 9)
    forms = variations("Why does the pump stop with a fault of the gasket", known)
    assert forms == ["pump stop fault gasket", "fault gasket"]
    assert variations("the pump", known) == []


def test_a_question_names_words_numbers_and_neighbouring_words() -> None:
    """Without their marks, and however they are written."""
    values = values_in('How were sales in the "Annual Report" of 2023?')
    assert {2023, "2023", "annual report", "sales", "SALES"} <= set(values)
    assert len(values_in("x y " * 1000)) <= 200


def _found(dense: list[int], lexical: list[int]) -> Candidates:
    by_meaning, by_words = ({each: 1 / rank for rank, each in enumerate(leg, 1)} for leg in (dense, lexical))
    return Candidates(fuse(by_meaning, by_words, 0.6), TermStatistics((), 0), Questions((), ()))


def test_agreement_is_the_share_of_best_chunks_in_common_and_the_same_one_first() -> None:
    """Below the tenth nothing counts; of few chunks the share is of these, and a leg alone is not contradicted."""
    apart = list(range(100, 120))
    assert agreement(_found(list(range(20)), [9, 8, *apart])) == (0.2, False)
    assert agreement(_found(list(range(20)), [0, 10, *apart])) == (0.1, True)
    assert agreement(_found([1, 2, 3], [3])) == (1.0, False)
    alone = (_found([1, 2, 3], []), _found([], [1, 2, 3]), _found([], []), _found([1], [1]))
    assert {agreement(each) for each in alone} == {(1.0, True)}
    assert agreement(_found([1], [2])) == (0.0, False)


@pytest.mark.parametrize(
    ("lexical", "doubt"),
    [
        ([1, 0, 2, 3, 4, 5, *range(100, 120)], "about the first"),
        ([0, 1, 2, 3, 4, 5, *range(100, 120)], "none"),
        ([1, 0, 2, 3, 4, *range(100, 120)], "none"),
        ([1, 0, *range(100, 120)], "none"),
        ([0, *range(100, 120)], "about all"),
        ([], "none"),
    ],
)
def test_the_legs_are_in_doubt_about_the_first_or_about_all(lexical: list[int], doubt: str) -> None:
    """Where more than half of the best are common and the first differ, or less than a fifth is; between, neither."""
    assert doubt_of(_found(list(range(20)), lexical)) == doubt


@pytest.mark.parametrize("filler", [" ", "?", ";", "? ", ", ", "and "])
def test_a_question_of_one_mark_is_divided_at_once(filler: str) -> None:
    """One of blanks kept the server from everything else for more than a second."""
    began = time.process_time()
    parts_of("pump" + (filler * 4000)[:3990] + "fault")
    assert time.process_time() - began < 0.2


@pytest.mark.parametrize(
    ("written", "numbers"), [("1, 2 and 9", [1, 2]), ("2\u00b2", [2]), ("\u2460 \u0663", [3]), ("", [])]
)
def test_a_grade_is_of_numbers_alone(written: str, numbers: list[int]) -> None:
    """What only looks like a figure, a square or a number in a circle, is none."""
    assert numbers_in(written, 5) == numbers


def test_a_draft_that_does_not_end_is_begun() -> None:
    """Its first claims are judged; one that claims nothing has none."""
    assert begun("One pump stops. " * 300) == " ".join(["One pump stops."] * 12)
    assert begun("It stops.") == "It stops."
    assert begun("... !") == ""
