"""Questions of a conversation, made to stand alone by the words of those before them."""

import pytest

from knowlog.retrieval.standalone import stand_alone


@pytest.mark.parametrize(
    ("history", "question", "standalone"),
    [
        (["Who founded Tesla Motors?"], "When did it go public?", "When did Tesla Motors go public?"),
        (["Where was Ada Lovelace born?"], "Who was her mother?", "Who was Ada Lovelace's mother?"),
        (["Who is Nikola Tesla?"], "What were his patents?", "What were Nikola Tesla's patents?"),
        (["How long is the warranty of pumps?"], "What does it cover?", "What does it cover? (long warranty pumps)"),
        (["What was the revenue of Acme in 2021?"], "And in 2022?", "And in 2022? (revenue Acme)"),
        (["What is the capital of France?"], "What about Germany?", "What about Germany? (capital)"),
        (["When was the bridge opened?"], "Why?", "Why? (bridge opened)"),
        (["When was the bridge opened?"], "Who attended?", "Who attended? (bridge opened)"),
        (["Who opened the bridge in 1987?"], "Who in 1990?", "Who in 1990? (opened bridge)"),
        (["Who opened the bridge?"], "Who else exactly?", "Who else exactly? (opened bridge)"),
        (["Who won the race?"], "Who came second?", "Who came second? (won race)"),
        (["Wie lange gilt die Garantie?"], "Was ist mit Pumpen?", "Was ist mit Pumpen? (lange gilt Garantie)"),
    ],
)  # fmt: skip
def test_what_a_question_leans_on_is_carried_over(history: list[str], question: str, standalone: str) -> None:
    """A pronoun's name in its place; words that say something behind; what is replaced is left out."""
    assert stand_alone(question, history) == standalone


@pytest.mark.parametrize(
    "question",
    [
        "How long is the warranty of pumps?",
        "What is photosynthesis?",
        "When did Marie Curie publish her thesis?",
        "shipping costs",
        "Is there a canteen in the building?",
        "Who painted Guernica?",
        "Who approves holiday?",
        "How must passwords look?",
        "Wer bezahlt Fortbildungen?",
    ],
)
def test_a_question_that_stands_alone_stays_as_it_is(question: str) -> None:
    """Whatever was asked before."""
    assert stand_alone(question, ["Who founded Tesla Motors?", "And why?"]) == question


def test_words_are_carried_through_questions_that_lean_themselves() -> None:
    """And not over one that stands alone."""
    chain = ["Who founded Tesla Motors?", "When did it go public?"]
    assert "Tesla Motors" in stand_alone("Why then?", chain)
    assert "Tesla" not in stand_alone("Why then?", [*chain, "Who painted the Mona Lisa?"])


@pytest.mark.parametrize("question", ["", "?", "…", "\n", "x" * 4000, "他是谁？"])
def test_whatever_is_asked_comes_back(question: str) -> None:
    """Nothing that can be sent stops it, and nothing is lost of it."""
    assert stand_alone(question, ["", "?", "Who is Ada?"]).startswith(question.strip())
    assert stand_alone(question, []) == question
