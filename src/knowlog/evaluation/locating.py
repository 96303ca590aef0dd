"""Where excerpts and answers stand in the documents of a collection."""

import asyncio
import re
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from knowlog.database import Connection, load_queries

_SQL = load_queries("knowlog.evaluation", "datasets.sql")
_AT_ONCE = 20
_LOOKED_UP = 200
_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class DocumentText:
    """The text of a document's version that answers questions."""

    document_id: UUID
    external_id: str
    title: str
    version: int
    text: str


async def texts_of(
    connection: Connection, collection_id: UUID, only: Sequence[str] | None
) -> AsyncIterator[DocumentText]:
    """Yield the texts of a collection's documents, those with the external ids `only` or all (None), a few at a time."""
    after = None
    while True:
        rows = await connection.fetch(_SQL["texts"], collection_id, only, after, _AT_ONCE)
        for row in rows:
            yield DocumentText(**row)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1]["document_id"]


class PlainText:
    """A text in which something is looked up: white space and case do not count. Read once for any number of look-ups.

    What is `in` it has a `span`. A look-up takes time in step with the text, whatever is wanted.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._plain = plain(text)

    def __contains__(self, wanted: str) -> bool:
        return wanted in self._plain

    def span(self, wanted: str) -> tuple[int, int] | None:
        """Return where `wanted`, as `plain` has it, stands in the text; None where it does not, or has no word."""
        first = self._plain.find(wanted) if wanted else -1
        if first < 0:
            return None
        return self._offset(first), self._offset(first + len(wanted) - 1) + 1

    def spans(self, wanted: Sequence[str]) -> list[tuple[int, int] | None]:
        """Return the span of each."""
        return [self.span(plain(each)) for each in wanted]

    @cached_property
    def _words(self) -> tuple[Sequence[int], Sequence[int]]:
        """Where each word begins, in the plain text and in the text."""
        return _starts(self._plain), _starts(self._text)

    def _offset(self, position: int) -> int:
        """The character of the text that a character of the plain text was made of: folding makes two of some."""
        in_plain, in_text = self._words
        word = bisect_right(in_plain, position) - 1
        at, offset = in_plain[word], in_text[word]
        while (at := at + len(self._text[offset].casefold())) <= position:
            offset += 1
        return offset


def _starts(text: str) -> Sequence[int]:
    return array("q", (match.start() for match in _WORD.finditer(text)))


def plain(text: str) -> str:
    """Return a text for looking something up in it: white space and case do not count."""
    return " ".join(text.split()).casefold()


async def find_spans(
    connection: Connection, text: str, wanted: Sequence[str]
) -> list[tuple[int, int] | None]:
    """Return where each of `wanted` stands first in a text, but for white space and case; None where it does not.

    Looked up beside the event loop. The connection is spoken to now and then, or its transaction would be ended as idle.
    """
    read = await asyncio.to_thread(PlainText, text)
    found: list[tuple[int, int] | None] = []
    for start in range(0, len(wanted), _LOOKED_UP):
        found += await asyncio.to_thread(read.spans, wanted[start : start + _LOOKED_UP])
        await connection.execute("select 1")
    return found
