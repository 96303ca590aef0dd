"""Text to lexemes."""

import time
from uuid import UUID

import pytest

from knowlog.stores.terms import DIMENSIONS, lexemes, salt, term

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The pumps were pumping", ["pump", "pump"]),
        ("Crème brûlée", ["creme", "brule"]),
        ("ＦＵＬＬ ｗｉｄｔｈ", ["full", "width"]),
        ("Order KL-2041 failed", ["order", "kl", "2041", "kl-2041", "fail"]),
        ("sales in FY2018", ["sale", "fy", "2018"]),
        ("sales in FY 2018", ["sale", "fy", "2018"]),
        ("the cell line HCC1954", ["cell", "line", "hcc1954"]),
        ("a state-of-the-art device", ["state", "art", "devic"]),
        ("the company's plan", ["compani", "plan"]),
        ("the company’s plan", ["compani", "plan"]),
        ("東京都", ["東京", "京都"]),
        ("海", ["海"]),
        ("v2 東京 pump", ["v2", "東京", "pump"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("the of and", []),
        ("", []),
        ("!!! ... ---", []),
    ],
)
def test_words_become_lexemes(text: str, expected: list[str]) -> None:
    """Stems without accents; identifiers in parts and whole; years by themselves; pairs where words have no spaces."""
    assert lexemes(text) == expected


@pytest.mark.parametrize(
    "text", ["a" * 300_000, "a-" * 150_000, "a1." * 100_000, "東" * 300_000, "é'" * 150_000]
)
def test_hostile_text_is_read_in_linear_time(text: str) -> None:
    """No text makes reading slow, however long its words are."""
    began = time.perf_counter()
    lexemes(text)
    assert time.perf_counter() - began < 2


def test_a_word_of_any_length_gives_a_short_lexeme() -> None:
    """What is not a word is cut, so that nothing downstream has to carry it."""
    assert all(len(lexeme) <= 64 for lexeme in lexemes("x" * 5000 + " " + "9" * 5000))


def test_collections_number_the_same_lexeme_differently() -> None:
    """Posting lists of two collections do not mix."""
    assert term("pump", salt(ONE)) != term("pump", salt(TWO))


def test_terms_fit_the_index() -> None:
    """Every term is a dimension that the index has."""
    assert all(1 <= term(str(word), salt(ONE)) <= DIMENSIONS for word in range(5000))
