"""What is done with documents that are there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, notify_progress
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents.collections import find_collection, resolve_collections, within
from knowlog.documents.containing import contained_path
from knowlog.documents.model import Document, DocumentState, Grid, Heading, Page, Structure
from knowlog.kernel.errors import Conflict, Invalid, NotFound, PreconditionFailed

_SQL = load_queries("knowlog.documents")
_MOST_BYTES_EACH = 4
"""A code point takes so many bytes of UTF-8 at most."""
_ABSENT = "There is no such document."


@dataclass(frozen=True, slots=True)
class TextSlice:
    """The span [start, end) of a version's text, which is `length` code points long."""

    text: str
    start: int
    end: int
    length: int
    version: int
    structure: Structure


@dataclass(frozen=True, slots=True)
class Original:
    """Where the original bytes of a version lie, and what they are."""

    blob: str
    filename: str
    media_type: str | None
    size_bytes: int


async def get_documents(connection: Connection, scope: Scope, ids: Iterable[UUID]) -> list[Document]:
    """Return those of the documents that are there and within the scope, in no particular order."""
    return [
        Document(**row) for row in await connection.fetch(_SQL["documents_by_id"], list(ids), within(scope))
    ]


async def get_document(connection: Connection, scope: Scope, document_id: UUID) -> Document:
    """Return one document. Raises NotFound."""
    found = await get_documents(connection, scope, [document_id])
    if not found:
        raise NotFound(_ABSENT)
    return found[0]


async def list_documents(
    connection: Connection, scope: Scope, collection: str, *, state: DocumentState | None = None,
    after: tuple[datetime, UUID] | None = None, most: int = 50, metadata: dict[str, Any] | None = None,
    external_id: str | None = None,
) -> list[Document]:  # fmt: skip
    """List documents of a collection in order of creation, from behind `after` (created_at, document_id)."""
    found = await find_collection(connection, scope, collection)
    moment, last = after or (None, None)
    rows = await connection.fetch(
        _SQL["list_documents"],
        found,
        state,
        moment,
        last,
        most,
        metadata,
        external_id,
        contained_path(metadata),
    )
    return [Document(**row) for row in rows]


async def count_states(connection: Connection, scope: Scope, collection: str) -> dict[str, int]:
    """How many documents of a collection are in each state; states of none are left out."""
    found = await find_collection(connection, scope, collection)
    return dict(await connection.fetch(_SQL["count_states"], found))


async def count_waiting(
    connection: Connection, scope: Scope, collections: Sequence[str] | None, most: int
) -> int:
    """How many documents of the named collections, or of all, are not indexed yet: at most `most`. Raises NotFound."""
    found = [each.collection_id for each in await resolve_collections(connection, scope, collections)]
    return int(await connection.fetchval(_SQL["count_waiting_in"], found, most))


async def document_text(
    connection: Connection, scope: Scope, document_id: UUID, version: int | None = None, start: int = 0,
    end: int | None = None,
) -> TextSlice:  # fmt: skip
    """Return a slice of the text of a version (by default the one that answers questions).

    Raises NotFound when the document or its text is not there, Invalid for a span that is none.
    """
    document = await get_document(connection, scope, document_id)
    wanted = version or document.version
    if start < 0 or (end is not None and end < start):
        raise Invalid("A span begins at 0 or later and does not end before it begins.")
    row = wanted and await connection.fetchrow(
        _SQL["version_text"], document_id, wanted, start, 2**31 - 2 if end is None else end
    )
    if not row:
        raise NotFound("This version of the document has no text (not indexed yet, failed, or replaced).")
    text = row["text"]
    return TextSlice(
        text, start, start + len(text), row["length"], row["version"], load_structure(row["structure"])
    )


async def document_text_bytes(
    connection: Connection, scope: Scope, document_id: UUID, version: int | None = None, start: int = 0,
    end: int | None = None,
) -> int:  # fmt: skip
    """How many bytes `document_text` would return at most; 0 where it would return nothing. Cheap.

    Raises NotFound when the document is not there.
    """
    document = await get_document(connection, scope, document_id)
    stored = await connection.fetchval(_SQL["text_bytes"], document_id, version or document.version)
    most = _MOST_BYTES_EACH * max(0, (2**31 if end is None else end) - start)
    return min(stored or 0, most)


async def document_original(
    connection: Connection, scope: Scope, document_id: UUID, version: int | None = None
) -> Original:
    """Return where the original bytes of a version lie (by default the latest). Raises NotFound."""
    document = await get_document(connection, scope, document_id)
    row = await connection.fetchrow(_SQL["version_blob"], document_id, version or document.latest)
    if row is None:
        raise NotFound("There is no such version of the document.")
    return Original(**row)


async def patch_document(
    connection: Connection, scope: Scope, document_id: UUID, *, title: str | None, metadata: dict[str, Any] | None,
    expected: int | None = None,
) -> Document:  # fmt: skip
    """Change title or metadata. `expected` is the revision that the caller has read.

    The title is searched with the text, so a new one has the same version indexed again by a worker; until then the
    document is found by the old one. Metadata is never indexed and holds at once.

    Raises NotFound, Invalid, PreconditionFailed.
    """
    if title is not None and not 1 <= len(title) <= 1000:
        raise Invalid("A title has 1 to 1,000 characters.")
    document = await get_document(connection, scope, document_id)
    row = await connection.fetchrow(_SQL["patch_document"], document_id, expected, title, metadata)
    if row is None:
        raise PreconditionFailed(
            "The document has changed since you read it. Read it again, then repeat the change."
        )
    if row["retitled"]:
        await index_again(connection, scope, document)
    return await get_document(connection, scope, document_id)


async def retry_document(connection: Connection, scope: Scope, document_id: UUID) -> UUID:
    """Index a failed document again. Returns the job. Raises NotFound, or Conflict when it has not failed."""
    document = await get_document(connection, scope, document_id)
    if await connection.fetchval(_SQL["retry_document"], document_id) is None:
        state = (await get_document(connection, scope, document_id)).state  # another may have been quicker
        raise Conflict(f"Only a failed document can be retried; this one is {state}.")
    return await index_again(connection, scope, document)


async def index_again(connection: Connection, scope: Scope, document: Document) -> UUID:
    """Ask for the indexing of the version that a document has. Returns the job.

    Of one document, jobs run one after the other: this one sees what this transaction has changed.
    """
    data = {
        "collection_id": document.collection_id,
        "version": document.latest,
        "size_bytes": document.size_bytes,
    }
    jobs = await append_events(connection, "document.received", [(document.document_id, data)])
    await notify_progress(connection, scope.tenant_id, document.document_id)
    return jobs[0]


def dump_structure(structure: Structure) -> dict[str, Any]:
    """Pages and headings as they are stored."""
    grids = [[grid.name, grid.start, grid.row, grid.column] for grid in structure.grids]
    return {
        **({"grids": grids} if grids else {}),
        "pages": [[page.number, page.start, page.end] for page in structure.pages],
        "headings": [[heading.level, heading.title, heading.start] for heading in structure.headings],
    }


def load_structure(stored: dict[str, Any] | None) -> Structure:
    """The inverse of `dump_structure`."""
    stored = stored or {"pages": [], "headings": []}
    return Structure(
        tuple(Page(*page) for page in stored["pages"]),
        tuple(Heading(*heading) for heading in stored["headings"]),
        tuple(Grid(*grid) for grid in stored.get("grids", ())),
    )
