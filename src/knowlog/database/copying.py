"""Copying the rows of a tenant from one database to another, table by table as the catalog has them, while it is used.

The first pass over a table copies all; later ones what was written since. PostgreSQL itself says what that is: a row
carries the number of the transaction that wrote it. What is gone shows in the keys, of which both sides make a sum: they
are sent across only where the sums differ. Both sides are read and written as they are, without triggers and foreign
keys, so that a copy is a copy.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import asyncpg

from knowlog.database.pool import Connection, connect, translate
from knowlog.kernel.errors import Conflict, Unavailable
from knowlog.kernel.wording import counted

_QUEUED = 8
_PIECES = 2**32
_SHAPES = """
    select c.relname as name,
           array(select a.attname::text from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                 order by a.attname) as columns,
           array(select t.typsend::oid::regproc::text from pg_attribute a join pg_type t on t.oid = a.atttypid
                 where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
                 order by a.attname) as senders,
           array(select a.attname::text from pg_index i, unnest(i.indkey::smallint[]) with ordinality k (number, place)
                 join pg_attribute a on a.attnum = k.number
                 where i.indrelid = c.oid and i.indisprimary and a.attrelid = c.oid and k.place <= i.indnkeyatts
                 order by k.place) as key,
           array(select a.attname::text from pg_attribute a
                 where a.attrelid = c.oid and a.attnum > 0 and a.attidentity <> '') as numbered
    from pg_class c
    where c.relnamespace = 'knowlog'::regnamespace and c.relkind = 'r'
      and exists (select from pg_attribute a
                  where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
    order by c.relname"""
_PREPARE = """
    set search_path = knowlog, public, pg_catalog;
    set idle_in_transaction_session_timeout = 0;
    set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3;
    set session_replication_role = replica;
    set role knowlog_definer"""
MoverPurpose = Literal["rows", "directory"]
_LOCKS: Mapping[MoverPurpose, int] = {"rows": 1802465142, "directory": 1802465143}
_FOREIGN = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
_SPARE = 1_000_000
"""So far ahead of what was copied a sequence is set: others may be drawing numbers at the same time."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of tenants, as the catalog has it. `made`: columns that are not copied as they stand, and the expression
    that reads them; `taken`: the expression with which they are written.
    """

    name: str
    columns: tuple[str, ...]
    senders: tuple[str, ...]
    key: tuple[str, ...]
    numbered: tuple[str, ...]
    made: Mapping[str, str] = field(default_factory=dict)
    taken: Mapping[str, str] = field(default_factory=dict)
    again: str = "false"
    """Rows that are copied in each pass, whether they were written since or not."""


class AnotherMover(Conflict):
    """Another process is at it."""


class CopyDiffers(Unavailable):
    """What was copied is not what was to be copied."""


@asynccontextmanager
async def raw_session(owner_url: str) -> AsyncIterator[Connection]:
    """A connection that reads and writes all rows as they are. Raises Unavailable where the login may not."""
    connection = await connect(owner_url)
    try:
        await connection.execute(_PREPARE)
        yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise Unavailable(
            f"The owner's login of a database may not copy rows as they are ({error}). Let a superuser run there:"
            " GRANT SET ON PARAMETER session_replication_role TO that login."
        ) from error
    except _FOREIGN as error:
        raise translate(error) from error
    finally:
        connection.terminate()  # nothing waits for a goodbye, and its locks are free at once


@asynccontextmanager
async def mover_session(owner_url: str, tenant_id: UUID, purpose: MoverPurpose) -> AsyncIterator[Connection]:
    """The same, for one who alone moves this tenant in this database. Raises AnotherMover."""
    async with raw_session(owner_url) as connection:
        lock = "select pg_try_advisory_lock($1::integer, hashtext($2))"
        if not await connection.fetchval(lock, _LOCKS[purpose], str(tenant_id)):
            raise AnotherMover("Another process moves this tenant at this moment.")
        yield connection


async def tables_of(connection: Connection) -> list[Table]:
    """The tables that hold rows of tenants."""
    return [
        Table(
            row["name"],
            tuple(row["columns"]),
            tuple(row["senders"]),
            tuple(row["key"]),
            tuple(row["numbered"]),
        )
        for row in await connection.fetch(_SHAPES)
    ]


def require_same(source: Sequence[Table], target: Sequence[Table]) -> None:
    """Raise Conflict unless both databases have the same tables."""
    shapes = [{(each.name, each.columns, each.key) for each in tables} for tables in (source, target)]
    if shapes[0] != shapes[1]:
        names = ", ".join(sorted({name for name, *_ in shapes[0] ^ shapes[1]}))
        raise Conflict(
            f"The two databases have different migrations (see {names}). Start the same knowlog on both."
        )


class Copier:
    """Copies one tenant's rows from `source` to `target`, both mover's sessions, `source` inside a transaction that
    sees one moment.
    """

    def __init__(self, source: Connection, target: Connection, tenant_id: UUID) -> None:
        self._source, self._target, self._tenant_id = source, target, tenant_id

    async def now(self) -> int:
        """The mark of the source's moment: what is written later bears a later one."""
        mark = await self._source.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        return int(mark)

    async def copy(self, table: Table, since: int | None) -> int:
        """Bring a table of the target to the source's moment; `since`: it was copied at that mark. Returns how many rows
        were copied or removed. Raises CopyDiffers where the keys of all rows, or what was written since, are not the
        same on both sides then.
        """
        if not await self._has_rows(self._source, table) and not await self._has_rows(self._target, table):
            return 0
        async with self._target.transaction():
            if since is None:
                await drop_rows(self._target, [table], self._tenant_id)
                await self._fill("fresh", table, table.columns, "true")
                return await self._take(table)
            written = self._written(table, since)
            await self._fill("fresh", table, table.columns, written)
            removed = await self._make_room(table, f"not {written}")
            taken = await self._take(table)
            await self._require_same(table, table.columns, written, "x.xmin = pg_current_xact_id()::xid")
            return removed + taken

    async def _has_rows(self, side: Connection, table: Table) -> bool:
        query = f"select exists (select from {table.name} where tenant_id = $1)"  # noqa: S608 - a name of the catalog
        return bool(await side.fetchval(query, self._tenant_id))

    def _written(self, table: Table, since: int) -> str:
        """A condition on the rows that were written since the mark; numbers of transactions go round in a circle."""
        distance = f"(x.xmin::text::bigint - {since % _PIECES} + {_PIECES}) % {_PIECES}"
        return f"({distance} < {_PIECES // 2} or {table.again})"

    async def _fill(self, name: str, table: Table, columns: Sequence[str], condition: str) -> None:
        """Make a temporary table of the target from rows of the source."""
        wanted = ", ".join(
            f"{table.made.get(column, f'x.{_quoted(column)}')} as {_quoted(column)}" for column in columns
        )
        await self._target.execute(
            f"drop table if exists pg_temp.{name}; create temp table {name} on commit drop as"  # noqa: S608
            f" select {_listed(columns)} from {table.name} with no data"
        )
        query = f"select {wanted} from {table.name} x where x.tenant_id = '{self._tenant_id}' and {condition}"  # noqa: S608
        await _stream(self._source, query, self._target, name, columns)

    async def _make_room(self, table: Table, others: str) -> int:
        """Delete what the table has under the keys of what came, and what the source has no more: before the new rows are
        put in, which may bear its name. Returns how many rows are gone.
        """
        await self._target.execute("analyze fresh")
        await self._target.execute(f"delete from {table.name} t using fresh k where {_same_key(table)}")  # noqa: S608
        if not await self._different(table, table.key, others):
            return 0
        removed = await self._remove_gone(table)
        await self._require_same(table, table.key, others)
        return removed

    async def _take(self, table: Table) -> int:
        """Put what came into the table."""
        values = ", ".join(table.taken.get(each, f"x.{_quoted(each)}") for each in table.columns)
        put = await self._target.execute(
            f"insert into {table.name} ({_listed(table.columns)}) overriding system value"  # noqa: S608
            f" select {values} from fresh x"
        )
        return int(put.split()[-1])

    async def _remove_gone(self, table: Table) -> int:
        """Delete the target's rows whose keys the source does not have. Returns how many."""
        await self._fill("keys", table, table.key, "true")
        await self._target.execute("analyze keys")
        gone = await self._target.execute(
            f"delete from {table.name} t where t.tenant_id = $1"  # noqa: S608
            f" and not exists (select from keys k where {_same_key(table)})",
            self._tenant_id,
        )
        return int(gone.split()[-1])

    async def compare(self, table: Table) -> None:
        """Compare all rows of both sides. Raises CopyDiffers."""
        await self._require_same(table, table.columns)

    async def _require_same(self, table: Table, columns: Sequence[str], *conditions: str) -> None:
        if different := await self._different(table, columns, *conditions):
            raise CopyDiffers(f"The copy is not the same: {different}. It is tried again.")

    async def _different(
        self, table: Table, columns: Sequence[str], there: str = "true", here: str = "true"
    ) -> str | None:
        """Compare rows of both sides by their number and a sum of their columns' hashes. Returns what is different."""
        parts = " || ".join(
            f"coalesce({sender}(x.{_quoted(column)}), '\\xff')"
            for column, sender in zip(table.columns, table.senders, strict=True)
            if column in columns and column not in {*table.made, *table.taken}
        )
        query = (
            f"select count(*) as rows, coalesce(sum(hashbyteaextended({parts}, 0)::numeric), 0) as hash"  # noqa: S608
            f" from {table.name} x where x.tenant_id = $1 and "
        )
        one, other = await asyncio.gather(
            self._source.fetchrow(query + there, self._tenant_id),
            self._target.fetchrow(query + here, self._tenant_id),
        )
        if tuple(one) == tuple(other):
            return None
        return f"{table.name}: {counted(one['rows'], 'row')} there, {other['rows']} here"

    async def lift_numbers(self, table: Table) -> None:
        """Let numbers that the target gives from now on be behind those that were copied."""
        for column in table.numbered:
            query = f"select max({_quoted(column)}) from {table.name} where tenant_id = $1"  # noqa: S608
            highest = await self._target.fetchval(query, self._tenant_id)
            place = await self._target.fetchval(
                "select pg_get_serial_sequence($1, $2)", f"knowlog.{table.name}", column
            )
            await self._target.execute("reset role")
            last = await self._target.fetchval(f"select last_value from {place}")  # noqa: S608
            if highest is not None and last <= highest:
                await self._target.execute("select setval($1::text::regclass, $2)", place, highest + _SPARE)
            await self._target.execute("set role knowlog_definer")


async def drop_rows(connection: Connection, tables: Sequence[Table], tenant_id: UUID) -> int:
    """Delete a tenant's rows as they are. Returns how many there were."""
    dropped = 0
    for table in tables:
        said = await connection.execute(f"delete from {table.name} where tenant_id = $1", tenant_id)  # noqa: S608
        dropped += int(said.split()[-1])
    return dropped


async def _stream(
    source: Connection, query: str, target: Connection, name: str, columns: Sequence[str]
) -> None:
    """Pass the rows of a query on into a temporary table, a few pieces at a time."""
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_QUEUED)

    async def arriving() -> AsyncIterator[bytes]:
        while (piece := await pieces.get()) is not None:
            yield piece

    async def leaving() -> None:
        await source.copy_from_query(query, output=pieces.put, format="binary")
        await pieces.put(None)

    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(leaving())
            both.create_task(_put(target, name, columns, arriving()))
    except ExceptionGroup as group:
        raise group.exceptions[0] from group


async def _put(target: Connection, name: str, columns: Sequence[str], pieces: Any) -> None:
    await target.copy_to_table(name, source=pieces, columns=list(columns), format="binary")


def _same_key(table: Table) -> str:
    return " and ".join(f"t.{_quoted(each)} = k.{_quoted(each)}" for each in table.key)


def _quoted(name: str) -> str:
    return f'"{name}"'


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(map(_quoted, columns))
