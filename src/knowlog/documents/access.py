"""Who may see a document: lists of subjects, of its own or its collection's.

The lists are read where the documents are, in the database (migration 0024), so that a change holds from the next
statement on, and there is nothing to be renewed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from knowlog.bus import append_events, notify_progress
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents.actions import get_document
from knowlog.documents.collections import find_collection
from knowlog.kernel.errors import Conflict, Invalid

_SQL = load_queries("knowlog.documents", "access.sql")
_MOST = 1000

Audience = frozenset[UUID]
"""Subjects that may see something besides owners and admins, who see everything; of none: nobody else does."""


@dataclass(frozen=True, slots=True)
class Access:
    """For whom something is: `subjects` is its own list, `effective` the one that holds; None: no list."""

    subjects: tuple[UUID, ...] | None
    effective: tuple[UUID, ...] | None


@dataclass(frozen=True, slots=True)
class Change:
    """Subjects to be named in a list, and others that are not to be named any more."""

    allow: Audience = frozenset()
    deny: Audience = frozenset()


def audience(subjects: Sequence[UUID] | None) -> Audience | None:
    """Check a list of subjects. Raises Invalid for one that is too long."""
    if subjects is not None and len(subjects) > _MOST:
        raise Invalid(f"A list names at most {_MOST:,} members and groups. Make a group of them.")
    return None if subjects is None else frozenset(subjects)


async def collection_access(connection: Connection, scope: Scope, collection: str) -> Access:
    """Return for whom a collection is. Raises NotFound."""
    found = await find_collection(connection, scope, collection)
    return _access(await connection.fetchrow(_SQL["collection_access"], found))


async def document_access(connection: Connection, scope: Scope, document_id: UUID) -> Access:
    """Return for whom a document is. Raises NotFound."""
    await get_document(connection, scope, document_id)
    return _access(await connection.fetchrow(_SQL["document_access"], document_id))


async def limit_collection(
    connection: Connection, scope: Scope, collection: str, wanted: Audience | Change | None
) -> Access:
    """Give a collection a list, change the one it has, or take it away (None): then all of the tenant may see it.

    Raises NotFound, Invalid for a list that becomes too long, Conflict for a denial where there is no list.
    """
    found = await find_collection(connection, scope, collection)
    before = await connection.fetchval(_SQL["hold_collection_access"], found)
    if await connection.fetchval(_SQL["limit_collection"], found, _listed(_changed(before, wanted))):
        await append_events(connection, "collection.access_changed", [(found, {"collection_id": found})])
        await notify_progress(connection, scope.tenant_id, found)
    return await collection_access(connection, scope, str(found))


async def limit_document(
    connection: Connection, scope: Scope, document_id: UUID, wanted: Audience | Change | None
) -> Access:
    """Give a document a list of its own, change it, or take it away (None): then its collection's holds.

    Raises as `limit_collection` does.
    """
    await get_document(connection, scope, document_id)
    before = await connection.fetchval(_SQL["hold_document_access"], document_id)
    await limit_documents(connection, scope, [document_id], _changed(before, wanted))
    return await document_access(connection, scope, document_id)


async def limit_documents(
    connection: Connection, scope: Scope, documents: Sequence[UUID], wanted: Audience | None
) -> set[UUID]:
    """Give documents the same list. Returns those that had another."""
    rows = await connection.fetch(_SQL["limit_documents"], list(documents), _listed(wanted))
    events = [(row["document_id"], {"collection_id": row["collection_id"]}) for row in rows]
    await append_events(connection, "document.access_changed", events)
    for document_id, _ in events:
        await notify_progress(connection, scope.tenant_id, document_id)
    return {document_id for document_id, _ in events}


def _changed(before: Iterable[UUID] | None, wanted: Audience | Change | None) -> Audience | None:
    if not isinstance(wanted, Change):
        return wanted
    if before is None and wanted.deny:
        raise Conflict(
            "It has no list of its own from which to take anybody. Give it one that names who may see it."
        )
    return audience(sorted((frozenset(before or ()) | wanted.allow) - wanted.deny))


def _listed(wanted: Audience | None) -> list[UUID] | None:
    return None if wanted is None else sorted(wanted)


def _access(row: Any) -> Access:
    own, effective = row["own"], row["effective"]
    return Access(None if own is None else tuple(own), None if effective is None else tuple(effective))
