"""Structure-aware chunking: a chunk is what the author made one: a section, a slide, rows of a table, a definition.

A section, page or sheet that fits is a chunk; small ones under one heading are joined. In one that is too large,
paragraphs are packed whole, tables are cut between rows and code between the nodes of its syntax tree. Each chunk that
begins inside a definition has its first line as context.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from knowlog.chunking.blocks import Code, Table, fenced_code, tables
from knowlog.chunking.model import Span
from knowlog.chunking.packing import pack
from knowlog.chunking.syntax import Part, language_of, parts
from knowlog.chunking.tokens import Range
from knowlog.chunking.work import Work, between

_DEEPEST = 50
"""Parts within parts that are looked into."""
_TINY = 8
"""A section of less than this part of a chunk is joined with its neighbour, whatever their headings."""


def split(work: Work) -> list[Span]:
    """Return spans that begin where sections, blocks, rows, definitions or paragraphs begin; nothing is repeated."""
    blocks = _Blocks.of(work)
    ranges: list[Range] = []
    for section in _sections(work):
        if section[1] - section[0] <= work.size:
            ranges.append(section)
        else:
            ranges += pack(work, blocks.starts(section), work.size, section)
    return [replace(span, context=blocks.context(span.start)) for span in work.spans(ranges)]


def _sections(work: Work) -> list[Range]:
    """Return sections and pages as ranges; those that fit into one chunk together and belong together are one."""
    levels = {
        work.tokens.index(heading.start): heading.level for heading in reversed(work.structure.headings)
    }
    levels |= dict.fromkeys(work.places.pages, 0)
    edges = sorted({0, len(work.tokens), *(start for start in levels if 0 < start < len(work.tokens))})
    found: list[Range] = []
    for first, after_last in pairwise(edges):
        if found and _belongs(work, levels, found[-1], (first, after_last)):
            found[-1] = (found[-1][0], after_last)
        else:
            found.append((first, after_last))
    return found


def _belongs(work: Work, levels: dict[int, int], before: Range, section: Range) -> bool:
    """Whether a section is one with what stands before it: a part of it, or too small to stand alone."""
    if section[1] - before[0] > work.size:
        return False
    tiny = work.size // _TINY
    deeper = levels.get(section[0], 0) > levels.get(before[0], 0)
    return deeper or before[1] - before[0] < tiny or section[1] - section[0] < tiny


@dataclass(frozen=True, slots=True)
class _Definition:
    """A part of a program that is too large for one chunk, and its first line."""

    start: int
    end: int
    signature: str


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Where blocks begin that are kept whole, and what those that are not need as context."""

    work: Work
    inner: Sequence[int]
    """Tokens that begin a row or a part of a program."""
    outer: Sequence[Range]
    """The tokens of tables and code, in which no paragraph or sentence begins."""
    definitions: Sequence[_Definition]

    @classmethod
    def of(cls, work: Work) -> "_Blocks":
        found = tables(work.text)
        code = _code(work)
        offsets = [row for table in found for row in _rows(work, table)]
        definitions: list[_Definition] = []
        for each in code:
            program = parts(work.text[each.start : each.end], each.language, each.start)
            offsets += _begun(work, program, definitions)
        kept = [(each.start, each.end) for each in found] + [(each.start, each.end) for each in code]
        outer = sorted(_tokens(work, start, end) for start, end in kept)
        return cls(work, sorted({work.tokens.index(each) for each in offsets}), outer, definitions)

    def starts(self, section: Range) -> Sequence[int]:
        """Return the tokens at which a chunk may begin in a section that is too large for one."""
        inside = between(self.inner, *section)
        paragraphs = [
            each for each in between(self.work.places.paragraphs, *section) if not self._whole(each)
        ]
        edges = [edge for block in self.outer for edge in block if section[0] < edge < section[1]]
        return sorted({*inside, *paragraphs, *edges})

    def _whole(self, token: int) -> bool:
        """Whether a token is inside a table or code."""
        place = bisect_right(self.outer, token, key=lambda block: block[0]) - 1
        return place >= 0 and self.outer[place][0] < token < self.outer[place][1]

    def context(self, offset: int) -> tuple[str, ...]:
        """Return what a chunk that begins at `offset` needs to be understood."""
        around = (each for each in self.definitions if each.start < offset < each.end and each.signature)
        return tuple(each.signature for each in around)


def _code(work: Work) -> list[Code]:
    language = language_of(work.media_type)
    if language:
        return [Code(0, len(work.text), language)]
    return fenced_code(work.text)


def _rows(work: Work, table: Table) -> Sequence[int]:
    """Return the offsets between which a table may be cut: nowhere, where it fits into a chunk."""
    first, after_last = _tokens(work, table.start, table.end)
    return table.rows[1:] if after_last - first > work.size else ()


def _begun(
    work: Work, program: Sequence[Part], definitions: list[_Definition], depth: int = 0
) -> Iterator[int]:
    """Yield where parts begin, and those inside of parts that are too large; these are added to `definitions`.

    The first of what is nested stays with the line above it. What is nested very deeply is cut as text.
    """
    for place, part in enumerate(program):
        if place or not depth:
            yield part.start
        first, after_last = _tokens(work, part.start, part.end)
        if after_last - first > work.size and depth < _DEEPEST:
            if part.signature:
                definitions.append(_Definition(part.start, part.end, part.signature))
            yield from _begun(work, part.inner(), definitions, depth + 1)


def _tokens(work: Work, start: int, end: int) -> Range:
    return work.tokens.index(start), work.tokens.index(end)
