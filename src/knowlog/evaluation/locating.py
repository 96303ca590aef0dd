"""Where excerpts and answers stand in the documents of a collection."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowlog.database import Connection, load_queries

_SQL = load_queries("knowlog.evaluation", "datasets.sql")
_AT_ONCE = 20


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


def plain(text: str) -> str:
    """Return a text for looking something up in it: white space and case do not count."""
    return " ".join(text.split()).casefold()


def find_span(text: str, wanted: str) -> tuple[int, int] | None:
    """Return where `wanted` stands in a text, but for white space and case; None where it does not."""
    words = wanted.split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), text, re.IGNORECASE)
    return found.span() if found else None
