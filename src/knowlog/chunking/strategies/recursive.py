"""Recursive chunking: fill a chunk up to its size, then cut at the strongest boundary in its second half.

The usual recursive splitter cuts at the strongest separator, then cuts what is too long at the next one,
and merges what is too short. Choosing, for each chunk in turn, the last boundary of the strongest kind that
leaves it at least half full gives the same preferences in one pass, and chunks of more even size.
"""

from dataclasses import dataclass

from knowlog.chunking.model import Span
from knowlog.chunking.tokens import TokenMap
from knowlog.chunking.work import Places, Work, first_within, last_within

_LEAST_FILL = 0.5


def split(work: Work) -> list[Span]:
    """Return spans that end, by preference, before a page, a heading, a blank line, a line, a sentence, a space.

    A chunk that is half full ends where a section of the top level begins. A page that one chunk cannot finish
    is shared out so that its last chunk is half full too, and the next page begins with a chunk of its own.
    Chunks overlap by whole sentences or lines, not across a heading or the start of a page.
    """
    return work.spans(_Cutter(work.tokens, work.places, work.size, work.profile.overlap).cuts())


@dataclass(frozen=True, slots=True)
class _Cutter:
    tokens: TokenMap
    places: Places
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
        section = first_within(self.places.sections, least, most)
        if section is not None:
            return section
        if most == len(self.tokens):
            return most
        for kind in self.places.ranked:
            boundary = last_within(kind, least, most)
            if boundary is not None:
                return boundary
        return self.tokens.last_cut(least, most)

    def _next_page(self, first: int) -> int | None:
        """Return where the page after the one that holds token `first` begins; also the end of the last page."""
        if not self.places.pages:
            return None
        return first_within(self.places.pages, first + 1, len(self.tokens)) or len(self.tokens)

    def _start_after(self, end: int) -> int:
        """Return where the next chunk starts: at the first sentence or line in the allowed overlap.

        Where there is none, a clean cut has no overlap, and a cut inside a sentence repeats the words
        before it.
        """
        earliest = end - int(self.size * self.overlap)
        if first_within(self.places.headings, end, end) is not None:
            return end
        page = last_within(self.places.pages, earliest, end)
        if page is not None:
            return page
        unit = first_within(self.places.units, earliest, end)
        if unit is not None:
            return unit
        line = first_within(self.places.ranked[-1], earliest, end - 1)
        return line or self.tokens.first_cut(earliest, end)
