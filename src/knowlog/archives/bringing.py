"""Bring a tenant in from an archive, under a new id: all of it or nothing.

The new tenant is suspended until everything is there, so that nobody sees a half of it, and a process that is killed
leaves a suspended tenant that can be deleted. Ids of collections and documents stay; chunks get numbers of this
installation. Vectors come along: where the embedding model is another one, workers make new ones from the chunks.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from knowlog.archives.contents import TABLES, Table
from knowlog.archives.model import Brought, refuse
from knowlog.archives.reading import Checked, Member, check_archive, members
from knowlog.bus import append_events
from knowlog.database import Connection, Database, Scope
from knowlog.documents import BlobStore
from knowlog.kernel.errors import Conflict, Invalid, KnowlogError, NotFound, Unavailable
from knowlog.tenants import (
    create_key,
    create_tenant,
    delete_tenant,
    operator_principal,
    record,
    record_as_operator,
)

_COLUMNS = """
    select c.relname, array_agg(a.attname::text) as columns
    from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'knowlog'::regnamespace and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
    group by c.relname"""
_UNFINISHED = """
    update documents d set state = 'received', attempts = 0
    from versions v
    where d.tenant_id = tenant() and d.state in ('received', 'parsing', 'embedding')
      and v.tenant_id = d.tenant_id and v.document_id = d.document_id and v.version = d.latest
    returning d.document_id, d.collection_id, d.latest, v.size_bytes"""
_BATCH_BYTES = 16 * 1024 * 1024
_BATCH_FILES = 100
_PATIENCE_S = 3600
_COMING_IN = "It is being brought in from an archive. Should that have broken off, delete it."

Tell = Callable[[str], None]


async def bring_in(
    database: Database, blobs: BlobStore, path: Path, name: str | None = None, tell: Tell = lambda said: None
) -> Brought:
    """Bring the tenant of an archive in, by the operator. `tell` hears how far it has come.

    Raises Invalid for an archive that is damaged, hostile or of a newer knowlog: then nothing was brought in.
    """
    tell("Checking the archive ...")
    checked = await asyncio.to_thread(check_archive, path, await _known_columns(database))
    tenant = await create_tenant(database, name or checked.manifest.tenant_name)
    scope = operator_principal(tenant.tenant_id).scope
    try:
        async with database.system() as connection:
            await connection.execute("select suspend_tenant($1, $2)", tenant.tenant_id, _COMING_IN)
        tell(f"Original files: {checked.manifest.originals['count']:,} ...")
        await _put_originals(blobs, path, tenant.tenant_id)
        tell("Rows ...")
        waiting = await _restore(database, scope, path, checked)
        secret = await _open(database, scope, checked)
    except BaseException as error:
        await _take_back(database, blobs, tenant.tenant_id)
        raise _explained(error) from error
    rows = {table.name: checked.manifest.tables[table.name]["rows"] for table in TABLES if table.restored}
    return Brought(
        tenant.tenant_id, tenant.name, checked.manifest.tenant_id, rows, checked.manifest.originals["count"],
        len(checked.manifest.missing), waiting, secret,
    )  # fmt: skip


async def _known_columns(database: Database) -> dict[str, frozenset[str]]:
    names = {table.name for table in TABLES}
    async with database.system() as connection:
        rows = await connection.fetch(_COLUMNS)
    return {row["relname"]: frozenset(row["columns"]) for row in rows if row["relname"] in names}


async def _put_originals(blobs: BlobStore, path: Path, tenant_id: UUID) -> None:
    """Put the original bytes where the new tenant keeps its own."""
    with path.open("rb") as file:
        batches = _batches(member for member in members(file) if member.name.startswith("originals/"))
        while batch := await asyncio.to_thread(next, batches, None):
            await blobs.put({f"{tenant_id}/{name.partition('/')[2]}": content for name, content in batch})


def _batches(found: Iterator[Member]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for member in found:
        batch.append((member.name, member.content()))
        size += member.size
        if size >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _restore(database: Database, scope: Scope, path: Path, checked: Checked) -> int:
    """Insert the rows, in one transaction. Returns how many documents are still to be indexed."""
    shift = await _shift(database, checked)
    tables = {table.name: table for table in TABLES if table.restored}
    with path.open("rb") as file:
        async with database.transaction(scope) as connection:
            parts = (member for member in members(file) if member.name.startswith("rows/"))
            while (part := await asyncio.to_thread(_next, parts)) is not None:
                table = tables.get(part[0].split("/")[1])
                if table is not None:
                    await _insert(connection, table, checked.manifest.tables[table.name], part[1], shift)
            return await _ask_for_the_rest(connection)


def _next(parts: Iterator[Member]) -> tuple[str, bytes] | None:
    member = next(parts, None)
    return None if member is None else (member.name, member.content())


async def _shift(database: Database, checked: Checked) -> int:
    """What is added to a chunk's number: behind all that this installation has given."""
    if not checked.most_chunk:
        return 0
    span = checked.most_chunk - checked.least_chunk + 1
    async with database.system() as connection:
        base: int = await connection.fetchval("select reserve_chunk_ids($1)", span)
    return base - checked.least_chunk + 1


async def _insert(
    connection: Connection, table: Table, told: dict[str, Any], part: bytes, shift: int
) -> None:
    """Insert a part of a table's rows. Whatever they say, they become this tenant's."""
    made = {"tenant_id": "tenant()", **table.made}
    columns = dict.fromkeys([*told["columns"], *table.made])
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(made.get(name, f'x."{name}"') for name in columns)
    rows = orjson.dumps([orjson.loads(line) for line in part.splitlines()])  # each member once
    await connection.execute(
        f"insert into {table.name} ({names}) overriding system value select {values}"  # noqa: S608 - checked names
        f" from json_populate_recordset(null::{table.name}, $1::json) x where $2::bigint is not null",
        rows.decode(),
        shift,
        timeout=_PATIENCE_S,
    )


async def _ask_for_the_rest(connection: Connection) -> int:
    """Have indexed what was not when the archive was written."""
    rows = await connection.fetch(_UNFINISHED)
    wanted = [
        (row["document_id"], {"collection_id": row["collection_id"], "version": row["latest"],
                              "size_bytes": row["size_bytes"]})
        for row in rows
    ]  # fmt: skip
    if wanted:
        await append_events(connection, "document.received", wanted)
    return len(wanted)


async def _open(database: Database, scope: Scope, checked: Checked) -> str:
    """Make the first key, and let the tenant begin. Returns the key's secret."""
    manifest = checked.manifest
    told = {
        "from_tenant": manifest.tenant_id,
        "written_at": manifest.written_at,
        "archive_sha256": checked.sha256,
        "audit_head": manifest.audit_head,
    }
    async with database.transaction(scope) as connection:
        owner = operator_principal(scope.tenant_id)
        key, secret = await create_key(connection, owner, "first owner", "owner")
        await record(connection, scope, "key.created", f"key:{key.key_id}", {"name": key.name})
    async with database.system() as connection:
        await connection.execute("select resume_tenant($1)", scope.tenant_id)
        await record_as_operator(connection, scope, "tenant.imported", f"tenant:{scope.tenant_id}", told)
    return secret


async def _take_back(database: Database, blobs: BlobStore, tenant_id: UUID) -> None:
    """Leave nothing of a tenant that could not be brought in."""
    with contextlib.suppress(NotFound):
        await delete_tenant(database, tenant_id)
    async for keys in blobs.keys(str(tenant_id)):
        await blobs.delete(keys)


def _explained(error: BaseException) -> BaseException:
    """What the database refuses of an archive's rows is the archive's fault."""
    if isinstance(error, asyncpg.PostgresError | NotFound | Conflict):
        return refuse(f"Its rows do not fit together ({error}).")
    if isinstance(error, Unavailable) or not isinstance(error, KnowlogError):
        return error
    return error if isinstance(error, Invalid) else refuse(str(error))
