"""Word pieces and where they start."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowlog.embedding.wordpiece import PIECE, token_ids, token_offsets, wordpiece


def test_ids_are_berts() -> None:
    """Marks at both ends, lower case, pieces of words: as published with the model."""
    assert token_ids(["Hello, unaffable World!"], 512) == [
        [101, 7592, 1010, 14477, 20961, 3468, 2088, 999, 102]
    ]


def test_long_text_keeps_its_last_mark() -> None:
    """Cutting to the window takes words away, not the marks."""
    assert token_ids(["cat " * 100], 5) == [[101, 4937, 4937, 4937, 102]]


@pytest.mark.parametrize("text", ["word, and another " * 3000, "北京" * 9000, "Ünïted\n\n  Kíngdom " * 900])
def test_pieces_join_without_a_trace(text: str) -> None:
    """A text cut into pieces has the tokens of the whole."""
    whole = wordpiece().encode(text, add_special_tokens=False).offsets
    assert token_offsets(text).tolist() == [start for start, _ in whole]


def test_text_without_white_space_is_cut_all_the_same() -> None:
    """A word without end costs bounded memory, and no piece of it goes uncounted."""
    assert len(token_offsets("x" * 10 * PIECE)) == 10


def test_character_of_several_tokens_counts_as_often() -> None:
    """A Korean syllable is two or three pieces, all of which the model's window has to hold."""
    assert token_offsets("서울").tolist() == [0, 0, 1, 1, 1]


@given(st.text(st.characters(max_codepoint=0x2FF), max_size=200))
def test_the_short_way_for_plain_text_changes_nothing(text: str) -> None:
    """Offsets are those of the full tokenizer, control characters and accents or none."""
    whole = wordpiece().encode(text, add_special_tokens=False).offsets
    assert token_offsets(text).tolist() == [start for start, _ in whole]


_PLAIN_WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=4, max_size=12)
_ANY_WORDS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=6)


@given(st.lists(st.tuples(_PLAIN_WORDS, _ANY_WORDS, _PLAIN_WORDS), min_size=1, max_size=12))
def test_unusual_words_among_plain_ones_change_nothing(words: list[tuple[str, str, str]]) -> None:
    """They are tokenised one by one, and what is around them the short way."""
    text = " ".join(word for few in words for word in few)
    whole = wordpiece().encode(text, add_special_tokens=False).offsets
    assert token_offsets(text).tolist() == [start for start, _ in whole]


@given(st.text(st.characters(), max_size=300))
def test_offsets_ascend_within_any_text(text: str) -> None:
    """Surrogates, marks, zero-width characters and all."""
    offsets = token_offsets(text)
    assert np.all(np.diff(offsets) >= 0)
    assert not len(offsets) or (offsets[0] >= 0 and offsets[-1] < len(text))
