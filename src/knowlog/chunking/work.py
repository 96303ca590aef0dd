"""What a strategy is given: one text, read once, and where it may be cut."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from knowlog.chunking import boundaries
from knowlog.chunking.model import ChunkingProfile, Span, TokenOffsets
from knowlog.chunking.port import Models
from knowlog.chunking.tokens import Indices, TokenMap
from knowlog.documents.model import Structure


@dataclass(frozen=True)
class Work:
    """A text that is larger than one chunk, its structure, and how it is to be cut."""

    text: str
    structure: Structure
    profile: ChunkingProfile
    token_offsets: TokenOffsets
    tokens: TokenMap
    models: Models = field(default_factory=Models)
    media_type: str = "text/plain"

    @property
    def size(self) -> int:
        """Most tokens of a chunk."""
        return self.profile.size_tokens

    def limit(self, span: Span) -> int:
        """Most tokens of a chunk: less for one within another."""
        return self.size if span.parent is None else self.profile.child_tokens

    @cached_property
    def places(self) -> "Places":
        """Where it may be cut."""
        return Places.of(self.text, self.structure, self.tokens)

    def spans(self, ranges: Sequence[tuple[int, int]]) -> list[Span]:
        """Return ranges of tokens as spans; blank ones are left out."""
        found = (self.tokens.span(first, after_last) for first, after_last in ranges)
        return [span for span in found if span]


@dataclass(frozen=True, slots=True)
class Places:
    """Token indices at which a chunk may begin, by kind; `ranked` are the kinds, the strongest first."""

    sections: Sequence[int]
    pages: Sequence[int]
    headings: Sequence[int]
    paragraphs: Sequence[int]
    ranked: tuple[Sequence[int], ...]
    units: Sequence[int]
    """Where a sentence, a line of a list or table, or a paragraph begins."""

    @classmethod
    def of(cls, text: str, structure: Structure, tokens: TokenMap) -> "Places":
        """Look through the text once for each kind."""
        headings = boundaries.heading_starts(structure, tokens)
        paragraphs = boundaries.paragraph_starts(text, structure, tokens)
        lines = boundaries.line_starts(text, tokens)
        sentences = boundaries.sentence_starts(text, tokens)
        newlines = boundaries.newline_starts(text, tokens)
        pages = boundaries.page_starts(structure, tokens)
        ranked = (pages, headings, paragraphs, lines, sentences, newlines)
        return cls(
            boundaries.section_starts(structure, tokens).tolist(),
            pages.tolist(),
            headings.tolist(),
            _joined(headings, paragraphs),
            tuple(kind.tolist() for kind in ranked),
            _joined(headings, paragraphs, lines, sentences),
        )


def _joined(*kinds: Indices) -> list[int]:
    joined: list[int] = np.unique(np.concatenate(kinds)).tolist()
    return joined


def first_within(indices: Sequence[int], least: int, most: int) -> int | None:
    """Return the first of ascending indices that is in [least, most]."""
    position = bisect_left(indices, least)
    return indices[position] if position < len(indices) and indices[position] <= most else None


def last_within(indices: Sequence[int], least: int, most: int) -> int | None:
    """Return the last of ascending indices that is in [least, most]."""
    position = bisect_right(indices, most) - 1
    return indices[position] if position >= 0 and indices[position] >= least else None


def between(indices: Sequence[int], first: int, after_last: int) -> Sequence[int]:
    """Return those of ascending indices that are in (first, after_last)."""
    return indices[bisect_right(indices, first) : bisect_left(indices, after_last)]
