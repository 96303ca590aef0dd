"""What is done with collections."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from knowlog.bus import append_events
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents.model import Building, Collection, Embedding, Profile, Rechunking
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed
from knowlog.tenants import clean_name

_SQL = load_queries("knowlog.documents")


def within(scope: Scope) -> list[UUID] | None:
    """The collections of a scope as SQL takes them: None for all."""
    return None if scope.collections is None else list(scope.collections)


def collection_name(name: str) -> str:
    """Return a name for a collection. Raises Invalid also for one that looks like an id, and could pass for another's."""
    name = clean_name(name)
    if name in (".", "..") or set(name) & set("/\\?#%"):
        raise Invalid("A collection's name stands in addresses: it has none of / \\ ? # % and is not . or ..")
    try:
        UUID(name)
    except ValueError:
        return name
    raise Invalid("A collection's name must not be an id. Choose words.")


async def create_collection(connection: Connection, scope: Scope, name: str, profile: Profile) -> Collection:
    """Create a collection. Raises Conflict for a name that is taken, Invalid for one that cannot be.

    A key that is limited to some collections cannot make others: Forbidden.
    """
    if scope.collections is not None:
        raise Forbidden("Your key is limited to some collections and cannot create others.")
    try:
        row = await connection.fetchrow(
            _SQL["insert_collection"], new_id(), collection_name(name), profile.model_dump()
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(name) from error
    return _collection(row)


async def find_collection(connection: Connection, scope: Scope, name_or_id: str) -> UUID:
    """Return the id of a collection by its name or id. Raises NotFound."""
    found: UUID | None = await connection.fetchval(_SQL["find_collection_id"], name_or_id, within(scope))
    if found is None:
        raise _absent(name_or_id)
    return found


async def get_collection(
    connection: Connection, scope: Scope, name_or_id: str, *, counted: bool = True
) -> Collection:
    """Return a collection by its name or id. Raises NotFound. To count the documents takes longer the more there are:
    where only the id is wanted, `find_collection` does.
    """
    row = await connection.fetchrow(_SQL["find_collection"], name_or_id, within(scope), counted)
    if row is None:
        raise _absent(name_or_id)
    return _collection(row)


async def hold_collection(connection: Connection, scope: Scope, name_or_id: str) -> UUID:
    """Return a collection's id, and keep it from being deleted until the transaction ends.

    Raises NotFound, and Forbidden to whom it shows single documents only.
    """
    found = await find_collection(connection, scope, name_or_id)
    row = await connection.fetchrow(_SQL["hold_collection"], found)
    if row is None:
        raise _absent(name_or_id)
    if row["closed"]:
        raise Forbidden("You may see single documents of this collection, and not add to it. Ask an admin.")
    return found


class Answering(NamedTuple):
    """An index that answers: `embedding_key` says which model's vectors it holds, None before the first."""

    index_id: UUID
    embedding_key: str | None


class Resolved(NamedTuple):
    """What is searched."""

    collection_id: UUID
    name: str
    profile: Profile
    answering: Answering


async def resolve_collections(
    connection: Connection, scope: Scope, names_or_ids: Sequence[str] | None
) -> list[Resolved]:
    """Find the named collections, or all in the scope. Raises NotFound."""
    wanted = None if names_or_ids is None else list(names_or_ids)
    rows = await connection.fetch(_SQL["resolve_collections"], wanted, within(scope))
    found = {row["name"] for row in rows} | {str(row["collection_id"]) for row in rows}
    for name in wanted or ():
        if name not in found:
            raise _absent(name)
    return [
        Resolved(
            row["collection_id"],
            row["name"],
            Profile(**row["profile"]),
            Answering(row["index_id"], row["embedding_key"]),
        )
        for row in rows
    ]


async def list_collections(
    connection: Connection, scope: Scope, after: str | None = None, most: int = 100
) -> list[Collection]:
    """List collections in the order of their names, from behind the name `after`."""
    return [
        _collection(row)
        for row in await connection.fetch(_SQL["list_collections"], within(scope), after, most)
    ]


async def update_collection(
    connection: Connection, scope: Scope, name_or_id: str, *, name: str | None, profile: Profile | None,
    expected: int | None = None,
) -> Collection:  # fmt: skip
    """Rename a collection or give it another profile. Where its chunking changes, workers cut all documents anew.

    `expected` is the revision that the caller has read. Raises NotFound, Conflict, PreconditionFailed.
    """
    found = await find_collection(connection, scope, name_or_id)
    before = await connection.fetchval(_SQL["lock_chunking"], found)
    try:
        row = await connection.fetchrow(
            _SQL["update_collection"], found, None if name is None else collection_name(name),
            None if profile is None else profile.model_dump(), expected,
        )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise _taken(str(name)) from error
    if row is None:
        raise PreconditionFailed(
            "The collection has changed since you read it. Read it again, then repeat the change."
        )
    if row["profile"].get("chunking") == before:
        return _collection(row)
    await connection.execute(_SQL["ask_rechunking"], found)
    return await get_collection(connection, scope, str(found))


async def delete_collection(connection: Connection, scope: Scope, name_or_id: str) -> Collection:
    """Delete a collection with everything in it; a worker then removes the original bytes. Raises NotFound."""
    found = await get_collection(connection, scope, name_or_id)
    blobs = [row["blob"] for row in await connection.fetch(_SQL["collection_blobs"], found.collection_id)]
    audience = await connection.fetchval(_SQL["delete_collection"], found.collection_id)
    data = {"collection_id": found.collection_id, "name": found.name, "blobs": blobs}
    events = await append_events(connection, "collection.deleted", [(found.collection_id, data)])
    await connection.execute(_SQL["limit_event"], events[0], audience)
    return found


def _absent(name: str) -> NotFound:
    return NotFound(
        f"There is no collection {name[:200]!r}. `GET /v1/collections` lists yours, as `knowlog collections list` does;"
        " `POST /v1/collections` makes one, as `knowlog collections create` does."
    )


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a collection {name!r} already. Choose another name, or use that one.")


def _embedding(stored: dict[str, Any]) -> Embedding:
    building = stored.get("building")
    return Embedding(stored.get("key"), Building(**building) if building else None)


def _collection(row: Any) -> Collection:
    values = dict(row)
    values["profile"] = Profile(**row["profile"])
    values["embedding"] = _embedding(row["embedding"] or {})
    values["rechunking"] = Rechunking(**row["rechunking"]) if row["rechunking"] else None
    return Collection(**values)
