"""The lexical index: chunks, their terms, and what each term weighs in them."""

import asyncio
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar
from uuid import UUID

import numpy as np

from knowlog.database import Connection, load_queries
from knowlog.stores import bm25
from knowlog.stores.model import ChunkRow, DocumentChunks, Hit, LexicalQuery, searchable_text
from knowlog.stores.statistics import TermStatistics
from knowlog.stores.terms import DIMENSIONS, lexemes, salt, term

_SQL = load_queries("knowlog.stores")
_PORTION = 256
_MOST_TERMS = 16_000  # of one chunk; pgvector stores no more dimensions that are not zero

Item = TypeVar("Item")


async def write_chunks(connection: Connection, documents: Sequence[DocumentChunks]) -> list[int]:
    """Store the chunks of documents, with their terms and weights. Returns their ids, in the order given."""
    pairs = [(document, chunk) for document in documents for chunk in document.chunks]
    counted = [each for some in portions(pairs) for each in await asyncio.to_thread(_count, some)]
    if not counted:
        return []
    averages = await _averages(connection, counted)
    ids: list[int] = []
    for some in portions(counted):
        stored = await connection.fetchmany(_SQL["insert_chunk"], [_chunk(d, chunk) for d, chunk, _ in some])
        own = [record["chunk_id"] for record in stored]
        terms = [
            (i, *_terms(d, chunk, counts, averages)) for i, (d, chunk, counts) in zip(own, some, strict=True)
        ]
        await connection.execute(_SQL["insert_terms"], *zip(*terms, strict=True))
        ids += own
    await connection.executemany(_SQL["append_change"], _changes(counted))
    return ids


def portions(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """Cut into parts so small that no statement takes long and the process can do other things in between."""
    return (items[start : start + _PORTION] for start in range(0, len(items), _PORTION))


async def remove_chunks(connection: Connection, document_ids: Sequence[UUID]) -> int:
    """Remove all chunks of documents, and their terms from the statistics. Returns how many there were."""
    await connection.execute(_SQL["delete_terms"], list(document_ids))
    return int(await connection.fetchval(_SQL["delete_chunks"], list(document_ids)))


async def lexical_search(
    connection: Connection, statistics: TermStatistics, query: LexicalQuery
) -> list[Hit]:
    """Return the chunks that score highest for the question the statistics are of, best first."""
    # Lexemes that the statistics do not know yet are asked for too: they may have come a moment ago.
    rarest_first = sorted(statistics.terms, key=lambda weighed: weighed.postings)
    if not rarest_first or not query.collections:
        return []
    found = await connection.fetch(
        _SQL["lexical_search"],
        list(query.collections),
        [number for t in rarest_first for number in t.terms],
        [t.weight for t in rarest_first],
        [t.postings for t in rarest_first],
        _query_vector(statistics),
        query.most,
        query.prune,
        query.filter.jsonpath() if query.filter else None,
    )
    return list(map(Hit._make, found))


async def lexical_scores(
    connection: Connection, statistics: TermStatistics, chunk_ids: Sequence[int]
) -> dict[int, float]:
    """Return the BM25 score of each of these chunks."""
    found = await connection.fetch(_SQL["lexical_scores"], _query_vector(statistics), list(chunk_ids))
    return dict(map(tuple, found))


def _query_vector(statistics: TermStatistics) -> bytes:
    weights: dict[int, float] = {}
    for weighed in statistics.terms:
        for number in weighed.terms:
            weights[number] = weights.get(number, 0.0) + weighed.weight
    return sparse_vector(dict(sorted(weights.items())))


Counted = tuple[DocumentChunks, ChunkRow, Counter[int]]


def _count(pairs: Sequence[tuple[DocumentChunks, ChunkRow]]) -> list[Counted]:
    return [(document, chunk, _counts(document, chunk)) for document, chunk in pairs]


async def _averages(connection: Connection, counted: Sequence[Counted]) -> dict[UUID, float]:
    """The mean length of a chunk in each collection, these chunks included."""
    lengths: dict[UUID, list[int]] = {}
    for document, _, counts in counted:
        lengths.setdefault(document.collection_id, []).append(counts.total())
    known = {r["collection_id"]: r for r in await connection.fetch(_SQL["lengths"], list(lengths))}
    averages = {}
    for collection_id, added in lengths.items():
        before = known.get(collection_id)
        total, count = (before["total_length"], before["chunk_count"]) if before else (0, 0)
        averages[collection_id] = bm25.average_length(total + sum(added), count + len(added))
    return averages


def _counts(document: DocumentChunks, chunk: ChunkRow) -> Counter[int]:
    collection_salt = salt(document.collection_id)
    found = Counter(lexemes(searchable_text(document.title, chunk.above, chunk.text)))
    counts: Counter[int] = Counter()
    for lexeme, count in found.most_common(_MOST_TERMS) if len(found) > _MOST_TERMS else found.items():
        counts[term(lexeme, collection_salt)] += count
    return counts


def _chunk(document: DocumentChunks, chunk: ChunkRow) -> tuple[object, ...]:
    return (
        document.collection_id,
        document.document_id,
        document.version,
        chunk.ordinal,
        chunk.start,
        chunk.end,
        chunk.page,
        list(chunk.headings),
        chunk.text,
        [page.number for page in chunk.page_starts],
        [page.start for page in chunk.page_starts],
        [(section.start, section.headings) for section in chunk.sections],
        list(chunk.context) or None,
        chunk.token_count,
        chunk.parent_ordinal,
    )


def _terms(
    document: DocumentChunks, chunk: ChunkRow, counts: Counter[int], averages: dict[UUID, float]
) -> tuple[object, ...]:
    # Parents and children are of one size each, and not compared with one another: their lengths tell nothing.
    average = averages[document.collection_id] if chunk.parent_ordinal is None else max(1, counts.total())
    weights = dict(sorted(bm25.weigh(counts, average).items()))
    return (
        document.collection_id,
        document.document_id,
        counts.total(),
        _array(weights),
        sparse_vector(weights),
    )


def _array(numbers: Iterable[int]) -> str:
    """An array as PostgreSQL writes it; asyncpg's own way takes ten times as long to check each element."""
    return f"{{{','.join(map(str, numbers))}}}"


def sparse_vector(weights: dict[int, float]) -> bytes:
    """Return a pgvector sparsevec as PostgreSQL reads it. The terms must ascend."""
    indices = np.fromiter(weights, ">i4", len(weights)) - 1
    values = np.fromiter(weights.values(), ">f4", len(weights))
    return (
        struct.pack(">iii", DIMENSIONS, len(weights), 0) + indices.astype(">i4").tobytes() + values.tobytes()
    )


def _changes(counted: Sequence[Counted]) -> list[tuple[object, ...]]:
    """For each collection: chunks added, their length, and how many of them hold each term."""
    holding: dict[UUID, Counter[int]] = {}
    totals: dict[UUID, list[int]] = {}
    for document, _, counts in counted:
        holding.setdefault(document.collection_id, Counter()).update(counts.keys())
        totals.setdefault(document.collection_id, []).append(counts.total())
    return [
        (
            collection_id,
            len(totals[collection_id]),
            sum(totals[collection_id]),
            _array(terms),
            _array(terms.values()),
        )
        for collection_id, terms in holding.items()
    ]
