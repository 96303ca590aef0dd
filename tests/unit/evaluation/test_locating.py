"""Where excerpts stand: what is taken for standing in a document is found there, at its place, and soon."""

from time import perf_counter

import pytest

from knowlog.evaluation.locating import PlainText, plain


@pytest.mark.parametrize(
    ("text", "wanted", "place"),
    [
        ("Die Straße  ist lang", "die strasse IST", "Die Straße  ist"),
        ("one ﬁne wine", "fine wine", "ﬁne wine"),
        ("one ﬁne wine", "ine", "ﬁne"),
        ("from İstanbul on", "i̇stanbul", "İstanbul"),
        ("Ο ΛΌΓΟΣ ἦν", "λόγος", "ΛΌΓΟΣ"),
        ("a\n\n b\u00a0c", "A b C", "a\n\n b\u00a0c"),
        ("a b a b c", "b c", "b c"),
        ("שלום עולם", "עולם", "עולם"),
    ],
)
def test_what_stands_in_a_text_has_its_place(text: str, wanted: str, place: str) -> None:
    """Letters that are two when their case is left out, and white space of any kind."""
    read = PlainText(text)
    assert plain(wanted) in read
    span = read.span(plain(wanted))
    assert span is not None
    assert text[slice(*span)] == place


def test_what_does_not_stand_there_has_none() -> None:
    """Nor have no words at all."""
    assert PlainText("a b").span("b a") is None
    assert PlainText("a b").span("") is None


def test_a_text_that_repeats_itself_is_looked_through_soon() -> None:
    """It took minutes, in which a worker did nothing else for anybody."""
    began = perf_counter()
    assert PlainText("a " * 400_000 + "b").span(plain("a " * 9_000 + "b")) == (782_000, 800_001)
    assert perf_counter() - began < 10
