"""What holds for every text, every strategy and every tokeniser, tried on texts that nobody would write."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowlog.chunking import STRATEGIES, ChunkingProfile, Span, chunk
from knowlog.documents.model import Heading, Page, Structure

PIECES = st.sampled_from(
    [
        "word",
        "Word.",
        " ",
        "  ",
        "\n",
        "\r\n",
        "\n\n",
        "\t",
        "# H\n",
        "- ",
        "| a | b |\n",
        "知识。",
        "مرحبا؟ ",
        "שלום ",
        "नमस्ते। ",
        "👩\u200d👩\u200d👧",
        "é",
        "\u3000",
        "\u200b",
        "\x01",
        "...",
        "?!",
        "«x»",
        "1.",
        "x" * 70,
        "\u2028",
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=300).map("".join), st.text(max_size=400))
PROFILES = st.builds(
    ChunkingProfile,
    strategy=st.sampled_from(sorted(STRATEGIES)),
    size_tokens=st.integers(16, 40),
    overlap=st.floats(0, 0.499),
)


def words(text: str) -> np.ndarray:
    """Take words and marks as tokens."""
    return np.array([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int32)


def characters(text: str) -> np.ndarray:
    """Take every visible character as a token."""
    return np.array([index for index, char in enumerate(text) if not char.isspace()], dtype=np.int64)


def sparse(text: str) -> np.ndarray:
    """A tokeniser that drops most of what it sees."""
    return np.arange(0, len(text), 97)


TOKENISERS = st.sampled_from([words, characters, sparse])


@st.composite
def structured(draw: st.DrawFn) -> tuple[str, Structure]:
    """Draw a text with pages and headings anywhere in it."""
    text = draw(TEXTS)
    offsets = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    headings = tuple(Heading(draw(st.integers(1, 6)), "h", offset) for offset in offsets)
    pages = tuple(
        Page(number, start, end)
        for number, (start, end) in enumerate(zip([0, *offsets], [*offsets, len(text)], strict=True), 1)
    )
    return text, Structure(pages if draw(st.booleans()) else (), headings)


def covered(found: list[Span]) -> set[int]:
    """Return the offsets of all characters that some chunk holds."""
    return {offset for span in found for offset in range(span.start, span.end)}


@given(structured(), PROFILES, TOKENISERS)
@settings(max_examples=300, deadline=None)
def test_spans_are_exact_small_ordered_and_complete(document, profile, tokeniser):
    """No chunk is blank, padded or too long, and no visible character is in none."""
    text, structure = document
    found = chunk(text, profile, tokeniser, structure)
    starts = tokeniser(text)
    for span in found:
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
        inside = int(np.count_nonzero((starts >= span.start) & (starts < span.end)))
        assert inside <= span.token_count <= profile.size_tokens
    assert [span.start for span in found] == sorted({span.start for span in found})
    assert [span.end for span in found] == sorted({span.end for span in found})
    assert {offset for offset, char in enumerate(text) if not char.isspace()} <= covered(found)


@given(structured(), PROFILES, TOKENISERS)
@settings(max_examples=100, deadline=None)
def test_neighbours_overlap_by_no_more_than_the_profile_allows(document, profile, tokeniser):
    """The repeated part is at most the given share of a chunk."""
    text, structure = document
    found = chunk(text, profile, tokeniser, structure)
    starts = tokeniser(text)
    for first, second in pairwise(found):
        repeated = int(np.count_nonzero((starts >= second.start) & (starts < first.end)))
        assert repeated <= profile.size_tokens * profile.overlap


@given(TEXTS, TOKENISERS)
@settings(max_examples=100, deadline=None)
def test_what_fits_is_one_chunk(text, tokeniser):
    """A text of no more tokens than the size is never cut."""
    found = chunk(text, ChunkingProfile(size_tokens=4000), tokeniser, Structure())
    assert len(found) == (1 if text.strip() else 0)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_changes_nothing_outside(name):
    """Two calls that share a profile and an array of offsets do not disturb each other."""
    text = "Alpha beta gamma. " * 60
    offsets = words(text)
    before = offsets.copy()
    profile = ChunkingProfile(strategy=name, size_tokens=32)
    assert chunk(text, profile, lambda _: offsets, Structure()) == chunk(text, profile, words, Structure())
    assert (offsets == before).all()
