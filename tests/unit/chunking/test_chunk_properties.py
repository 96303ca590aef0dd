"""What holds for every text, every strategy and every tokeniser, tried on texts that nobody would write."""

import re
import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowlog.chunking import STRATEGIES, ChunkingProfile, Models, Span, chunk
from knowlog.documents.model import Heading, Page, Structure
from knowlog.embedding import token_offsets

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
        "extra\u00adordi\u00adnary",
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
    sentences=st.none() | st.integers(1, 3),
    similarity=st.floats(-1, 1),
    percentile=st.none() | st.floats(1, 99),
    child_tokens=st.just(16),
)


def embed(texts: Sequence[str]) -> np.ndarray:
    """Vectors that have nothing to do with the texts, and are the same for the same text."""
    rows = [
        np.random.default_rng(zlib.crc32(text.encode("utf-8", "replace"))).normal(size=8) for text in texts
    ]
    return np.stack(rows).astype(np.float32)


class Oracle:
    """A language model that begins a subject at every third sentence."""

    name = "oracle"

    def complete(self, prompt: str) -> str:
        """Answer in fences, as models do."""
        numbers = [int(found) for found in re.findall(r"^\[(\d+)\]", prompt, re.MULTILINE)]
        return f'Here you are:\n```json\n{{"starts": {numbers[::3]}}}\n```'


MODELS = Models(embed, Oracle())


def words(text: str) -> np.ndarray:
    """Take words and marks as tokens."""
    return np.array([match.start() for match in re.finditer(r"\w+|[^\w\s]", text)], dtype=np.int32)


def characters(text: str) -> np.ndarray:
    """Take every visible character as a token."""
    return np.array([index for index, char in enumerate(text) if not char.isspace()], dtype=np.int64)


def sparse(text: str) -> np.ndarray:
    """A tokeniser that drops most of what it sees."""
    return np.arange(0, len(text), 97)


OVERLAPPING = {"recursive", "sliding_window", "sentence"}
TOKENISERS = st.sampled_from([words, characters, sparse, token_offsets])


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


def leaves(found: list[Span]) -> list[Span]:
    """Leave out chunks that have chunks within."""
    parents = {span.parent for span in found}
    return [span for span in found if (span.start, span.end) not in parents]


def covered(found: list[Span]) -> set[int]:
    """Return the offsets of all characters that some chunk holds."""
    return {offset for span in found for offset in range(span.start, span.end)}


@given(structured(), PROFILES, TOKENISERS)
@settings(max_examples=300, deadline=None)
def test_spans_are_exact_small_ordered_and_complete(document, profile, tokeniser):
    """No chunk is blank, padded or too long, and no visible character is in none."""
    text, structure = document
    found = chunk(text, profile, tokeniser, structure, MODELS)
    for span in found:
        piece = text[span.start : span.end]
        assert piece
        assert piece == piece.strip()
        most = profile.child_tokens if span.parent else profile.size_tokens
        assert len(tokeniser(piece)) <= span.token_count <= most
    assert {span.parent for span in found} <= {None, *((span.start, span.end) for span in found)}
    innermost = leaves(found)
    assert [span.start for span in innermost] == sorted({span.start for span in innermost})
    assert [span.end for span in innermost] == sorted({span.end for span in innermost})
    assert {offset for offset, char in enumerate(text) if not char.isspace()} <= covered(innermost)


@given(structured(), PROFILES, TOKENISERS)
@settings(max_examples=100, deadline=None)
def test_neighbours_overlap_by_no_more_than_the_profile_allows(document, profile, tokeniser):
    """The repeated part is at most the given share of a chunk."""
    text, structure = document
    found = chunk(text, profile, tokeniser, structure, MODELS)
    starts = tokeniser(text)
    for first, second in pairwise(leaves(found)):
        repeated = int(np.count_nonzero((starts >= second.start) & (starts < first.end)))
        assert repeated <= (profile.size_tokens * profile.overlap if profile.strategy in OVERLAPPING else 0)


@given(TEXTS, TOKENISERS)
@settings(max_examples=100, deadline=None)
def test_what_fits_is_one_chunk(text, tokeniser):
    """A text of no more tokens than the size is never cut."""
    found = chunk(text, ChunkingProfile(size_tokens=4000), tokeniser, Structure())
    assert len(found) == (1 if text.strip() else 0)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_text_without_any_token_is_not_lost(name):
    """Of signs that a tokeniser drops, as of an escape character alone, one chunk is made."""
    profile = ChunkingProfile(strategy=name, size_tokens=16, child_tokens=16)
    (span,) = chunk("\x1b \u200b", profile, token_offsets, Structure(), MODELS)
    assert (span.start, span.end) == (0, 3)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_changes_nothing_outside(name):
    """Two calls that share a profile and an array of offsets do not disturb each other."""
    text = "Alpha beta gamma. " * 60
    offsets = words(text)
    before = offsets.copy()
    profile = ChunkingProfile(strategy=name, size_tokens=32, child_tokens=16)
    found = chunk(
        text, profile, lambda piece: offsets if piece == text else words(piece), Structure(), MODELS
    )
    assert found == chunk(text, profile, words, Structure(), MODELS)
    assert (offsets == before).all()
