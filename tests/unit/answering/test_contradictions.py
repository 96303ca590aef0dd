"""Contradictions between documents: what is told, and what is left alone because it may be about something else."""

from dataclasses import replace
from uuid import UUID

import pytest

from knowlog.answering.contradictions import contradictions, contradicts
from knowlog.answering.extractive import candidates
from knowlog.answering.question import read_question
from knowlog.retrieval import Passage

QUESTION = "How long is the warranty of the pump?"


def passage(number: int, text: str, title: str) -> Passage:
    """A whole document as a passage."""
    return Passage(
        UUID(int=number), 1, "handbook", f"{title}.md", title, 0, len(text), text, None, (), {}, 1.0 / number
    )


def told(
    one: str, other: str, titles: tuple[str, str] = ("Handbook", "Flyer"), question: str = QUESTION
) -> list:
    """What is told of two documents."""
    passages = [passage(1, one, titles[0]), passage(2, other, titles[1])]
    return contradictions(candidates(read_question(question), passages))


@pytest.mark.parametrize(
    ("one", "other", "differ_in"),
    [
        ("The warranty of the pump is two years.", "The warranty of the pump is three years.", "figure"),
        ("The warranty of the pump is 24 months.", "The warranty of the pump is 36 months.", "figure"),
        (
            "The warranty of the pump covers wear.",
            "The warranty of the pump does not cover wear.",
            "negation",
        ),
        ("Die Garantie der Pumpe gilt zwei Jahre.", "Die Garantie der Pumpe gilt drei Jahre.", "figure"),
    ],
)
def test_both_sides_are_told(one: str, other: str, differ_in: str) -> None:
    """With what they differ in."""
    question = "Wie lange gilt die Garantie der Pumpe?" if one.startswith("Die") else QUESTION
    (clash,) = told(one, other, question=question)
    assert (clash.differ_in, {clash.one.quote, clash.other.quote}) == (differ_in, {one, other})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The warranty of the pump is two years.", "The warranty of the pump is 2 years."),
        ("In 2021 the warranty of the pump was 1 year.", "In 2022 the warranty of the pump was 2 years."),
        ("The warranty of the pump is two years.", "The price of the pump is three euros."),
        ("The warranty of the pump is two years.", "The warranty of the pump is two years, or 4,000 hours."),
        ("The warranty is long.", "The warranty is not long."),
    ],
)
def test_what_may_be_true_together_is_left_alone(one: str, other: str) -> None:
    """The same figure written otherwise, another year, another thing, more than one difference, too little said."""
    assert told(one, other) == []


def test_one_document_does_not_contradict_itself() -> None:
    """It has its reasons, such as a table of models."""
    text = "The warranty of the pump is two years. The warranty of the pump is three years."
    assert contradictions(candidates(read_question(QUESTION), [passage(1, text, "Handbook")])) == []


def test_siblings_speak_of_different_things() -> None:
    """The manuals of two pumps, the reports of two years."""
    sentences = ("The warranty of the pump is two years.", "The warranty of the pump is three years.")
    assert told(*sentences, titles=("Pump A manual", "Pump B manual")) == []
    assert told(*sentences, titles=("Report 2021", "Report 2022")) == []
    assert len(told(*sentences, titles=("Report", "Report"))) == 1


@pytest.mark.parametrize(
    ("paths", "count"),
    [
        (("/home/alice/terms/warranty.md", "/home/alice/terms/sale.md"), 1),
        (("C:\\terms\\warranty.md", "C:\\terms\\sale.md"), 1),
        (("/home/alice/terms/manual-a.md", "/home/alice/terms/manual-b.md"), 0),
        (("/home/alice/2021/report.md", "/home/alice/2022/report.md"), 0),
    ],
)
def test_folders_that_both_stand_in_make_no_siblings(paths: tuple[str, str], count: int) -> None:
    """Files that were ingested by their absolute paths: what is below those folders tells siblings."""
    texts = ("The warranty of the pump is two years.", "The warranty of the pump is three years.")
    passages = [
        replace(passage(number, text, "Pump"), external_id=path)
        for number, (text, path) in enumerate(zip(texts, paths, strict=True), start=1)
    ]
    assert len(contradictions(candidates(read_question(QUESTION), passages))) == count


def test_a_quote_with_another_figure_supports_no_statement() -> None:
    """Though it says the rest in the same words."""
    assert contradicts("It lasts two years.", "It lasts three years.")
    assert not contradicts("It lasts two years.", "It lasts 2 years.")


def test_only_what_fits_the_question_is_told() -> None:
    """Two sentences that contradict each other elsewhere are somebody else's question."""
    one, other = "The annual fee of the club is 40 euros.", "The annual fee of the club is 50 euros."
    assert told(one, other) == []
    assert len(told(one, other, question="What is the annual fee of the club?")) == 1


def test_passages_are_not_changed() -> None:
    """Quotes are of the passages as they are."""
    first = passage(1, "The warranty of the pump is two years.", "Handbook")
    second = replace(passage(2, "The warranty of the pump is three years.", "Flyer"), start=10, end=51)
    (clash,) = contradictions(candidates(read_question(QUESTION), [first, second]))
    assert clash.other.passage.text[clash.other.start : clash.other.end] == clash.other.quote
