"""Recursive chunking: fill a chunk up to its size, then cut at the strongest boundary in its second half.

The usual recursive splitter cuts at the strongest separator, then cuts what is too long at the next one,
and merges what is too short. Choosing, for each chunk in turn, the last boundary of the strongest kind that
leaves it at least half full gives the same preferences in one pass, and chunks of more even size.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowlog.chunking import boundaries
from knowlog.chunking.model import ChunkingProfile, Span, TokenOffsets
from knowlog.chunking.tokens import TokenMap
from knowlog.documents.model import Structure

_LEAST_FILL = 0.5


def split(
    text: str, profile: ChunkingProfile, token_offsets: TokenOffsets, structure: Structure
) -> list[Span]:
    """Return spans that end, by preference, before a page, a heading, a blank line, a line, a sentence, a space.

    A chunk that is half full ends where a section of the top level begins. A page that one chunk cannot finish
    is shared out so that its last chunk is half full too, and the next page begins with a chunk of its own.
    Chunks overlap by whole sentences or lines, not across a heading or the start of a page.
    """
    tokens = TokenMap(text, token_offsets(text))
    if len(tokens) <= profile.size_tokens:
        whole = tokens.span(0, len(tokens))
        return [whole] if whole else []
    cutter = _Cutter(
        text, tokens, _Boundaries.of(text, structure, tokens), profile.size_tokens, profile.overlap
    )
    spans = (tokens.span(first, after_last) for first, after_last in cutter.cuts())
    return [span for span in spans if span]


@dataclass(frozen=True, slots=True)
class _Boundaries:
    """Token indices at which a chunk may begin, by kind."""

    sections: Sequence[int]
    pages: Sequence[int]
    headings: Sequence[int]
    ranked: tuple[Sequence[int], ...]
    units: Sequence[int]

    @classmethod
    def of(cls, text: str, structure: Structure, tokens: TokenMap) -> "_Boundaries":
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
            tuple(kind.tolist() for kind in ranked),
            np.unique(np.concatenate([paragraphs, lines, sentences])).tolist(),
        )


@dataclass(frozen=True, slots=True)
class _Cutter:
    text: str
    tokens: TokenMap
    boundaries: _Boundaries
    size: int
    overlap: float

    def cuts(self) -> list[tuple[int, int]]:
        """Return the chunks as half-open ranges of token indices."""
        found = []
        first = after_last = 0
        while after_last < len(self.tokens):
            after_last = self._end_of_chunk(first, least=after_last + 1)
            found.append((first, after_last))
            first = self._start_after(after_last)
        return found

    def _end_of_chunk(self, first: int, least: int) -> int:
        """Return where the chunk that starts at `first` ends: in [least, first + size]."""
        half = int(self.size * _LEAST_FILL)
        most = min(first + self.size, len(self.tokens))
        least = max(least, first + half)
        page = self._next_page(first)
        if page is not None and page > most:
            most = max(least, min(most, page - half))
        section = _first_within(self.boundaries.sections, least, most)
        if section is not None:
            return section
        if most == len(self.tokens):
            return most
        for kind in self.boundaries.ranked:
            boundary = _last_within(kind, least, most)
            if boundary is not None:
                return boundary
        return self._last_word_within(least, most) or most

    def _next_page(self, first: int) -> int | None:
        """Return where the page after the one that holds token `first` begins; also the end of the last page."""
        if not self.boundaries.pages:
            return None
        return _first_within(self.boundaries.pages, first + 1, len(self.tokens)) or len(self.tokens)

    def _start_after(self, end: int) -> int:
        """Return where the next chunk starts: at the first sentence or line in the allowed overlap.

        Where there is none, a clean cut has no overlap, and a cut inside a sentence repeats the words
        before it.
        """
        earliest = end - int(self.size * self.overlap)
        if _first_within(self.boundaries.headings, end, end) is not None:
            return end
        page = _last_within(self.boundaries.pages, earliest, end)
        if page is not None:
            return page
        unit = _first_within(self.boundaries.units, earliest, end)
        if unit is not None:
            return unit
        line = _first_within(self.boundaries.ranked[-1], earliest, end - 1)
        return line or self._first_word_within(earliest, end) or earliest

    def _last_word_within(self, least: int, most: int) -> int | None:
        """Return the last token of [least, most] that follows a space."""
        space = self.text.rfind(" ", self.tokens.start(least), self.tokens.start(most))
        return self._token_after(space) if space >= 0 else None

    def _first_word_within(self, least: int, most: int) -> int | None:
        space = self.text.find(" ", self.tokens.start(least), self.tokens.start(most))
        return self._token_after(space) if space >= 0 else None

    def _token_after(self, offset: int) -> int:
        return int(self.tokens.at_or_after(np.array([offset + 1]))[0])


def _first_within(indices: Sequence[int], least: int, most: int) -> int | None:
    position = bisect_left(indices, least)
    return indices[position] if position < len(indices) and indices[position] <= most else None


def _last_within(indices: Sequence[int], least: int, most: int) -> int | None:
    position = bisect_right(indices, most) - 1
    return indices[position] if position >= 0 and indices[position] >= least else None
