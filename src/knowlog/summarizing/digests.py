"""What of each document could stand in a summary, kept: a collection's summary reads again only what has changed."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from knowlog.answering import Citation
from knowlog.database import Connection, Database, Scope
from knowlog.documents import Structure, load_structure
from knowlog.kernel.errors import NotFound
from knowlog.summarizing.extractive import best
from knowlog.summarizing.keeping import SQL, place_of
from knowlog.summarizing.model import Quotable, Wanted
from knowlog.summarizing.reading import Source, quotables
from knowlog.summarizing.wishes import METHOD

SENTENCES = 24
"""So many sentences of each document are kept."""
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Text:
    """A version's text, and where pages and headings lie in it."""

    text: str
    structure: Structure


async def documents_seen(
    connection: Connection, wanted: Wanted, after: UUID | None = None, most: int = 1_000_000
) -> list[Source]:
    """The documents that the transaction sees of what is wished, in the order of their ids."""
    rows = await connection.fetch(SQL["seen_documents"], *place_of(wanted), after, most)
    return [Source(**row) for row in rows]


async def texts_of(connection: Connection, sources: Sequence[Source]) -> dict[UUID, Text]:
    """The texts of versions, by document; those that were replaced meanwhile are left out."""
    rows = await connection.fetch(
        SQL["texts"], [each.document_id for each in sources], [each.version for each in sources]
    )
    return {row["document_id"]: Text(row["text"], load_structure(row["structure"])) for row in rows}


async def sentences_of(database: Database, scope: Scope, source: Source) -> list[Quotable]:
    """All sentences of a document that can be quoted. Raises NotFound where its version was replaced."""
    async with database.transaction(scope) as connection:
        found = (await texts_of(connection, [source])).get(source.document_id)
    if found is None:
        raise NotFound("This version of the document has no text any more.")
    return await asyncio.to_thread(quotables, found.text, source, found.structure)


async def digests_of(database: Database, scope: Scope, sources: Sequence[Source]) -> list[list[Quotable]]:
    """The best sentences of each document, in the order given: kept ones, and new ones of what has changed."""
    found: list[list[Quotable]] = []
    for start in range(0, len(sources), _PAGE):
        found += await _digests(database, scope, sources[start : start + _PAGE])
    return found


async def _digests(database: Database, scope: Scope, sources: Sequence[Source]) -> list[list[Quotable]]:
    async with database.transaction(scope) as connection:
        rows = await connection.fetch(SQL["digests"], [each.document_id for each in sources], METHOD)
        by_id = {each.document_id: each for each in sources}
        found = {
            row["document_id"]: _loaded(row["kept"]["sentences"], by_id[row["document_id"]])
            for row in rows
            if row["version"] == by_id[row["document_id"]].version
        }
        texts = await texts_of(connection, [each for each in sources if each.document_id not in found])
    fresh = {
        document_id: await asyncio.to_thread(_digest, text, by_id[document_id])
        for document_id, text in texts.items()
    }
    if fresh:
        async with database.transaction(scope) as connection:
            await _keep(connection, [by_id[document_id] for document_id in fresh], fresh)
    found |= fresh
    return [found.get(each.document_id, []) for each in sources]


def _digest(text: Text, source: Source) -> list[Quotable]:
    return best(quotables(text.text, source, text.structure), SENTENCES)


async def _keep(
    connection: Connection, sources: Sequence[Source], fresh: Mapping[UUID, list[Quotable]]
) -> None:
    await connection.execute(
        SQL["keep_digests"], [each.document_id for each in sources], [each.version for each in sources], METHOD,
        [{"sentences": [_stored(found) for found in fresh[each.document_id]]} for each in sources],
    )  # fmt: skip


def _stored(found: Quotable) -> list[Any]:
    cited = found.citation
    return [
        found.text, round(found.place, 4), found.weight, cited.quote, cited.start, cited.end, list(cited.pages),
        list(cited.headings), cited.score,
    ]  # fmt: skip


def _loaded(told: Sequence[Sequence[Any]], source: Source) -> list[Quotable]:
    """Sentences as they were kept, under the names that the document has now."""
    return [
        Quotable(
            text,
            Citation(
                quote, source.document_id, source.version, source.collection, source.external_id, source.title,
                start, end, tuple(pages), tuple(headings), score,
            ),
            place,
            weight,
        )
        for text, place, weight, quote, start, end, pages, headings, score in told
    ]  # fmt: skip
