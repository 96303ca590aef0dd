"""A version on its way into the index: as the database describes it, and as it is when it has been read and cut."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from knowlog.bus import Event
from knowlog.documents import UNNAMED, UNNAMED_TEXT, ParsedText
from knowlog.ingestion.hashing import content_hash
from knowlog.stores import ChunkRow, DocumentChunks, Vectors

_OPENING = 80
"""Characters of a text's first line that a title made of it has at most, before its dots."""

Made = dict[str, dict[UUID, Vectors]]
"""Vectors by embedding key and content hash."""


@dataclass(frozen=True, slots=True)
class Source:
    """A version that is to be indexed, as the database describes it."""

    event: Event
    version: int
    collection_id: UUID
    profile: dict[str, Any]
    title: str
    title_given: bool
    blob: str
    filename: str
    media_type: str | None
    chunking_version: int
    answering_key: str | None
    """The key under which its collection answers; None before anything is embedded there."""
    index_id: UUID
    """The index that answers for its collection."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version that has been read and cut, ready to be embedded and written."""

    source: Source
    parsed: ParsedText
    rows: DocumentChunks
    hashes: tuple[UUID, ...]
    tokens: tuple[int, ...]

    def texts(self) -> Iterator[tuple[UUID, str]]:
        """What is embedded of it, by content hash."""
        return zip(self.hashes, self.rows.searchable_texts(), strict=True)


class Outdated(Exception):
    """What was being indexed has been deleted or replaced."""


def source_of(event: Event, row: Any) -> Source:
    """What an event asks for, by the row of `read_sources`."""
    return Source(
        event, row["version"], row["collection_id"], row["profile"], row["title"], row["title_given"], row["blob"],
        row["filename"], row["media_type"], row["chunking_version"], row["embedding_key"], row["index_id"],
    )  # fmt: skip


def prepared_of(source: Source, parsed: ParsedText, rows: Sequence[ChunkRow]) -> Prepared:
    """A version with its chunks and their hashes."""
    title = _title(source, parsed)
    chunks = DocumentChunks(source.index_id, source.event.subject, source.version, title, rows)
    hashes = tuple(content_hash(text) for text in chunks.searchable_texts())
    return Prepared(source, parsed, chunks, hashes, tuple(row.token_count or 0 for row in rows))


def _title(source: Source, parsed: ParsedText) -> str:
    """The one that was given, else the text's own, else its filename, else how it begins."""
    if source.title_given:
        return source.title
    if parsed.title:
        return parsed.title[:1000]
    return _opening(parsed.text) if source.filename in {UNNAMED_TEXT, UNNAMED} else source.title


def _opening(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    if len(line) <= _OPENING:
        return line
    return (line[:_OPENING].rpartition(" ")[0].rstrip() or line[:_OPENING]) + " …"


def ids_and_versions(items: Sequence[Prepared]) -> tuple[list[UUID], list[int]]:
    """As the queries take them."""
    return [item.source.event.subject for item in items], [item.source.version for item in items]


def is_current(item: Prepared, locked: dict[UUID, Any]) -> bool:
    """Whether it is the newest version of a document that is there, by the rows of `lock_documents`."""
    row = locked.get(item.source.event.subject)
    return row is not None and row["latest"] == item.source.version


def has_all(vectors: Made, key: str, item: Prepared) -> bool:
    """Whether each of its chunks has a vector under this key."""
    made = vectors.get(key, {})
    return all(digest in made for digest in item.hashes)


def indexed(item: Prepared) -> dict[str, Any]:
    """What `document.indexed` tells of it."""
    source = item.source
    return {"collection_id": source.collection_id, "version": source.version, "chunks": len(item.hashes)}
