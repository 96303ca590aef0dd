"""The chunks that were found, read as passages."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from knowlog.database import Connection, load_queries
from knowlog.documents import PageStart, Section
from knowlog.retrieval.fusion import Fused
from knowlog.retrieval.model import Passage, joined
from knowlog.retrieval.settings import RetrievalProfile
from knowlog.retrieval.windows import Rank, Window, windows

_SQL = load_queries("knowlog.retrieval")


async def read_passages(
    connection: Connection, fused: list[Fused], profile: RetrievalProfile, rank: Rank, most: int
) -> list[Passage]:
    """Return the best chunks as passages, `most` of them: windows where chunks are parts of larger ones.

    What no longer answers is left out.
    """
    if profile.one_per_document:
        fused = await _best_of_each_document(connection, fused)
    shown = await _shown(connection, [each.chunk_id for each in fused[:most]])
    if not any(row["parent_ordinal"] is not None for row in shown.values()):
        return [_passage(shown[each.chunk_id], each) for each in fused[:most] if each.chunk_id in shown]
    chosen = await windows(connection, fused, rank, most, profile)
    shown = await _shown(connection, [chunk_id for window in chosen for chunk_id in window.chunk_ids])
    return await _stretches(connection, [window for window in chosen if window.chunk_ids[0] in shown], shown)


async def _shown(connection: Connection, chunk_ids: list[int]) -> dict[int, Any]:
    if not chunk_ids:
        return {}
    return {row["chunk_id"]: row for row in await connection.fetch(_SQL["passages"], chunk_ids)}


async def _stretches(
    connection: Connection, chosen: Sequence[Window], shown: Mapping[int, Any]
) -> list[Passage]:
    """Each window as one passage: the text from its first chunk to its last."""
    members = [
        [_passage(shown[chunk_id], window.found.fused) for chunk_id in window.chunk_ids] for window in chosen
    ]
    ends = [(each[0].document_id, each[0].version, each[0].start, each[-1].end) for each in members]
    rows = await connection.fetch(_SQL["stretches"], *map(list, zip(*ends, strict=True))) if ends else []
    return [
        joined(each, row["text"], window.found.score)
        for window, each, row in zip(chosen, members, rows, strict=True)
    ]


async def _best_of_each_document(connection: Connection, fused: list[Fused]) -> list[Fused]:
    rows = await connection.fetch(_SQL["documents_of"], [each.chunk_id for each in fused])
    documents = {row["chunk_id"]: row["document_id"] for row in rows}
    best: dict[UUID, Fused] = {}
    for each in fused:
        if each.chunk_id in documents:
            best.setdefault(documents[each.chunk_id], each)
    return list(best.values())


def _passage(row: Any, fused: Fused) -> Passage:
    return Passage(
        row["document_id"],
        row["version"],
        row["collection"],
        row["external_id"],
        row["title"],
        row["start_offset"],
        row["end_offset"],
        row["text"],
        row["page"],
        tuple(row["headings"]),
        row["metadata"],
        fused.score,
        fused.ranked,
        tuple(map(PageStart, row["pages"], row["page_starts"])),
        tuple(Section(start, tuple(headings)) for start, headings in row["sections"] or ()),
        chunk_id=fused.chunk_id,
    )
