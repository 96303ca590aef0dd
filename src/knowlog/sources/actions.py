"""What is done with sources."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from knowlog.bus import BusSettings
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.documents import find_collection, within
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, KnowlogError, NotFound
from knowlog.sources.model import Inlet, NewSource, Source, SourceState
from knowlog.sources.reading import MAPPABLE
from knowlog.tenants import clean_name, record_as_operator

SQL = load_queries("knowlog.sources")
_TOPIC_CHARS = 249
_FORGOTTEN_AT_ONCE = 5000


async def create_source(database: Database, scope: Scope, wanted: NewSource, bus: BusSettings) -> Source:
    """Create a source for a tenant. For the operator: a topic may hold anybody's data.

    Raises Invalid, NotFound for the collection, Conflict for a name or a topic that is taken.
    """
    _check_topic(wanted.topic, bus)
    _check_mapping(wanted)
    name, source_id = clean_name(wanted.name), new_id()
    async with database.transaction(scope) as connection:
        collection_id = await find_collection(connection, scope, wanted.collection)
    try:
        async with database.system_of(scope.tenant_id) as connection:
            made = await connection.fetchval(
                "select create_source($1, $2, $3, $4, $5, $6, $7, $8, $9)", scope.tenant_id, source_id, name,
                wanted.kind, wanted.topic, collection_id, wanted.format, dict(wanted.mapping), scope.principal,
            )  # fmt: skip
            if made:
                told = {"name": name, "kind": wanted.kind, "topic": wanted.topic}
                await record_as_operator(connection, scope, "source.created", f"source:{source_id}", told)
    except asyncpg.UniqueViolationError as error:
        raise Conflict(f"There is a source {name!r} already. Choose another name.") from error
    if not made:
        raise Conflict(f"Another source reads {wanted.topic!r} of {wanted.kind}. A topic has one source.")
    async with database.transaction(scope) as connection:
        return await get_source(connection, scope, source_id)


async def delete_source(database: Database, scope: Scope, source_id: UUID) -> list[str]:
    """Delete a source with its dead letters; the topic stays as it is. For the operator. Raises NotFound.

    Returns the keys of what it has left in the blob store.
    """
    async with database.transaction(scope) as connection:
        source = await get_source(connection, scope, source_id)
        left = [row["blob"] for row in await connection.fetch(SQL["blobs_of"], source_id)]
    async with database.system_of(scope.tenant_id) as connection:
        await connection.execute("select delete_source($1, $2)", scope.tenant_id, source_id)
        told = {"name": source.name, "kind": source.kind, "topic": source.topic}
        await record_as_operator(connection, scope, "source.deleted", f"source:{source_id}", told)
    return left


async def list_sources(connection: Connection, scope: Scope) -> list[Source]:
    """List the tenant's sources by name; a limited caller sees those of its collections."""
    return [Source(**row) for row in await connection.fetch(SQL["list"], None, within(scope))]


async def get_source(connection: Connection, scope: Scope, source_id: UUID) -> Source:
    """Return one source. Raises NotFound."""
    row = await connection.fetchrow(SQL["list"], source_id, within(scope))
    if row is None:
        raise NotFound(
            "There is no such source. `GET /v1/sources` lists yours, as `knowlog sources list` does."
        )
    return Source(**row)


async def update_source(
    connection: Connection, scope: Scope, source_id: UUID, state: SourceState | None, collection: str | None
) -> Source:
    """Pause a source, let it go on, or give it another collection. Holds from the next transaction. Raises NotFound."""
    await get_source(connection, scope, source_id)
    wanted = None if collection is None else await find_collection(connection, scope, collection)
    await connection.execute(SQL["update"], source_id, state, wanted)
    return await get_source(connection, scope, source_id)


async def active_sources(database: Database) -> list[Inlet]:
    """List the active sources of all tenants, for workers."""
    async with database.system() as connection:
        return [Inlet(**row) for row in await connection.fetch("select * from active_sources()")]


async def source_health(database: Database) -> list[dict[str, Any]]:
    """Say for each kind of broker how many sources are active and how many of these are in trouble."""
    async with database.system() as connection:
        return [dict(row) for row in await connection.fetch("select * from source_health()")]


async def hold_source(database: Database, scope: Scope, source_id: UUID, reader: str, lease_s: float) -> bool:
    """Become or remain the one who reads a source; False while another is, or the source is not active."""
    async with database.transaction(scope) as connection:
        return bool(await connection.fetchval(SQL["hold"], source_id, reader, timedelta(seconds=lease_s)))


async def release_source(database: Database, scope: Scope, source_id: UUID, reader: str) -> None:
    """Let another read it at once."""
    async with database.transaction(scope) as connection:
        await connection.execute(SQL["release"], source_id, reader)


async def note_trouble(database: Database, scope: Scope, source_id: UUID, sentence: str | None) -> None:
    """Show why a source is not read, or with None that it is."""
    async with database.transaction(scope) as connection:
        await connection.execute(SQL["trouble"], source_id, sentence)


async def forget_inbox(database: Database, keep_days: int) -> int:
    """Forget messages that were taken longer ago; one that comes again is then taken again. Returns how many."""
    forgotten = 0
    while True:
        async with database.system() as connection:
            count: int = await connection.fetchval(
                "select forget_inbox($1, $2)", timedelta(days=keep_days), _FORGOTTEN_AT_ONCE
            )
        forgotten += count
        if count < _FORGOTTEN_AT_ONCE:
            return forgotten


def in_words(error: KnowlogError, kind: str) -> str:
    """The error's sentence, with the setting that speaks of a source's broker."""
    return error.detail.replace("KNOWLOG_BUS_URL", f"KNOWLOG_SOURCES_{kind.upper()}_URL")


def _check_topic(topic: str, bus: BusSettings) -> None:
    if not 1 <= len(topic) <= _TOPIC_CHARS or not topic.isprintable():
        raise Invalid(f"A topic has 1 to {_TOPIC_CHARS} printable characters.")
    if topic.startswith("^"):  # Kafka's clients read it as a pattern, of topics that may be anybody's
        raise Invalid("A topic must not begin with ^. Name one topic.")
    bare = topic.lstrip("{")
    own = bare == bus.prefix or bare.startswith((f"{bus.prefix}.", f"{bus.prefix}:", f"{bus.prefix}}}"))
    if own or bare.startswith(bus.publish_topic) or topic.startswith(("__", "amq.")):
        raise Invalid(f"{topic!r} belongs to knowlog or to the broker itself. Choose a topic of your own.")


def _check_mapping(wanted: NewSource) -> None:
    if wanted.mapping and wanted.format != "plain":
        raise Invalid("A mapping is for the format plain. CloudEvents have their members where they are.")
    if unknown := sorted(set(wanted.mapping) - MAPPABLE):
        raise Invalid(f"There is no member {unknown[0]!r:.100}. Known are: {', '.join(sorted(MAPPABLE))}.")
