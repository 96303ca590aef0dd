"""What patterns draw from a question, without a database."""

import pytest

from knowlog.retrieval.fusion import fuse
from knowlog.retrieval.patterns.decomposition import parts_of
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


def test_agreement_is_the_share_of_best_chunks_in_common_and_the_same_one_first() -> None:
    """Below the tenth nothing counts; of few chunks the share is of these, and a leg alone is not contradicted."""
    from knowlog.retrieval.dense import Questions
    from knowlog.retrieval.looking import Candidates
    from knowlog.retrieval.patterns.adaptive import agreement

    def legs(dense: list[int], lexical: list[int]) -> tuple[float, bool]:
        scores = ({each: 1 / rank for rank, each in enumerate(leg, 1)} for leg in (dense, lexical))
        return agreement(Candidates(fuse(*scores, 0.6), TermStatistics((), 0), Questions((), ())))

    apart = list(range(100, 120))
    assert legs(list(range(20)), [9, 8, *apart]) == (0.2, False)
    assert legs(list(range(20)), [0, 10, *apart]) == (0.1, True)
    assert legs([1, 2, 3], [3]) == (1.0, False)
    assert legs([1, 2, 3], []) == legs([], [1, 2, 3]) == legs([], []) == legs([1], [1]) == (1.0, True)
    assert legs([1], [2]) == (0.0, False)
