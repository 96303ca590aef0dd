"""Connections, and transactions that belong to exactly one tenant."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson

from knowlog.database.scope import Scope
from knowlog.database.settings import DatabaseSettings
from knowlog.database.shares import Shares
from knowlog.kernel.errors import InternalError, Invalid, Misconfigured, NotFound, Unavailable
from knowlog.kernel.secrecy import ENCODE

_log = logging.getLogger("knowlog.database")

Connection: TypeAlias = asyncpg.Connection
"""A connection inside a transaction, as `transaction` yields it."""

# pg_temp last, or a temporary table could stand in for one of ours.
# A process that is stopped in mid-transaction must not hold its locks until somebody finds it.
_SEARCH_PATH = (
    "set local search_path = knowlog, public, pg_catalog, pg_temp;"
    " set local idle_in_transaction_session_timeout = '30s'"
)
_BEGIN_TENANT = (
    "begin; set local role knowlog_app; "
    + _SEARCH_PATH
    + "; select set_config('knowlog.tenant', '{tenant}', true), set_config('knowlog.subjects', '{subjects}', true),"
    " enter('{tenant}'); select set_config('knowlog.closed', {closed}, true)"
)
_BEGIN_SNAPSHOT = _BEGIN_TENANT.replace("begin;", "begin isolation level repeatable read, read only;")
_BEGIN_SYSTEM = "begin; set local role knowlog_system; " + _SEARCH_PATH
_BEGIN_SYSTEM_OF = _BEGIN_SYSTEM + "; select enter('{tenant}')"


_WAIT_S = 10
_MOST_KEPT = 2
"""Connections that no transaction takes: whose a key is must be seen while every other connection is at work."""


class Elsewhere(Unavailable):
    """The tenant does not live in this database; `silo` is where it does, as far as this database knows."""

    def __init__(self, silo: str) -> None:
        super().__init__(
            "Your tenant is at another place by now. Nothing was changed; try again in a moment."
        )
        self.silo = silo


class InTheWay(Unavailable):
    """Another transaction was in the way: the same again may do."""


class ReadOnly(Unavailable):
    """Nothing can be written at this moment."""


class Database:
    """A pool of connections to one PostgreSQL. Nothing but a transaction can be had from it."""

    name = ""
    """The name of a silo; empty for the home."""
    silos: Sequence[str] = ()
    """The names of the silos that the settings have; known to the home alone."""
    room: int
    """So many transactions can be open at once."""

    def __init__(self, pool: asyncpg.Pool, url: str, owner_url: str) -> None:
        self._pool = pool
        size = pool.get_max_size()
        self.room = size - min(_MOST_KEPT, size // 4)
        self._places = asyncio.Semaphore(self.room)
        self._shares = Shares(self.room)
        self._url = url
        self._owner_url = owner_url

    def transaction(self, scope: Scope) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction in which the tenant of `scope` is all there is.

        Commits at the end, rolls back on any exception. Raises Unavailable when PostgreSQL does not answer.
        """
        return self._enter(_begin(_BEGIN_TENANT, scope), scope.tenant_id)

    def snapshot(self, scope: Scope) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction as `transaction` does, which reads all as it was at one moment, and writes nothing."""
        return self._enter(_begin(_BEGIN_SNAPSHOT, scope), scope.tenant_id)

    def system_of(self, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction as `system` does, in the database where a tenant lives."""
        return self._enter(_BEGIN_SYSTEM_OF.format(tenant=tenant_id), tenant_id)

    def _enter(self, begin: str, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction of a tenant, where it lives. Raises Elsewhere."""
        return self._shared(begin, tenant_id)

    @asynccontextmanager
    async def _shared(self, begin: str, tenant_id: UUID) -> AsyncIterator[Connection]:
        """Open a transaction of a tenant in this database, within its share of the connections."""
        async with self._shares.of(tenant_id), self._open(begin) as connection:
            yield connection

    async def look(self, question: str, tenant_id: UUID, *values: Any) -> Any | None:
        """The row that answers a question which a login may ask without a transaction (migration 0050); None where there
        is none, or the tenant lives elsewhere. Raises as `transaction` does.
        """
        try:
            async with self._pool.acquire(timeout=_WAIT_S) as connection:
                return await connection.fetchrow(question, tenant_id, *values)
        except _FOREIGN as error:
            problem = translate(error)
            if isinstance(problem, Elsewhere):
                return None
            raise problem from error

    @property
    def owner_url(self) -> str:
        """Where the schema's owner logs in. It has a password."""
        return self._owner_url

    def known_place(self, tenant_id: UUID) -> "Database":
        """Where a tenant lives, as far as this process remembers; to write down what may be lost, and nothing else."""
        return self

    async def silo(self, name: str) -> "Database":
        """A silo, with its schema brought up to date; itself for its own name. Raises Unavailable."""
        if name != self.name:
            raise Unavailable(
                f"Your tenant has a database of its own, {name}, that this server does not know. Its operator must name"
                " it in KNOWLOG_DATABASE_SILOS of every process."
            )
        return self

    async def of(self, tenant_id: UUID) -> "Database":
        """The database in which a tenant lives, with the accounts of its people. Raises Unavailable."""
        return self

    async def forget(self, tenant_id: UUID) -> bool:
        """A tenant was deleted in its silo: it lives nowhere any more. False where it lived here."""
        return False

    async def everywhere(self) -> "list[Database]":
        """Every database of the installation. Raises Unavailable where one does not answer."""
        return [self]

    async def reachable(self) -> "list[Database]":
        """Every database of the installation that answers."""
        return [self]

    @asynccontextmanager
    async def system(self) -> AsyncIterator[Connection]:
        """Open a transaction that reads no table and may call the functions given to knowlog_system."""
        async with self._open(_BEGIN_SYSTEM) as connection:
            yield connection

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[Connection]:
        """Open a connection of the schema's owner, without a transaction: for migrations and index builds."""
        connection = await connect(self._owner_url)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)

    @asynccontextmanager
    async def listen(self, channel: str, heard: Callable[[str], None]) -> AsyncIterator[None]:
        """Call `heard(payload)` for each notification on `channel`, on a connection of its own.

        Calls `heard("broken")` when the connection breaks, after which nothing more is heard.
        """
        connection = await connect(self._url)
        await connection.add_listener(channel, lambda _c, _p, _n, payload: heard(str(payload)))
        connection.add_termination_listener(lambda _c: heard("broken"))
        try:
            yield
        finally:
            with contextlib.suppress(*_FOREIGN):  # why the block ended is what goes on
                await connection.close(timeout=5)

    async def close(self) -> None:
        """Close every connection."""
        try:
            await self._pool.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            self._pool.terminate()

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """One of the places for transactions. Raises TimeoutError."""
        if self._places.locked():
            async with asyncio.timeout(_WAIT_S):
                await self._places.acquire()
        else:
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()

    @asynccontextmanager
    async def _open(self, begin: str) -> AsyncIterator[Connection]:
        try:
            async with self._place(), self._pool.acquire(timeout=_WAIT_S) as connection:
                try:
                    await connection.execute(begin)
                    yield connection
                    if await connection.execute("commit") != "COMMIT":
                        raise InternalError(
                            "The transaction had failed and was rolled back. Please try again."
                        )
                finally:
                    await _leave_idle(connection)
        except _FOREIGN as error:
            raise translate(error) from error


def _begin(statements: str, scope: Scope) -> str:
    """The statements that begin a transaction in `scope`; its values are ids, which need no quoting.

    What lists close to the caller is looked up once, here, whatever the transaction will look for (migration 0036).
    """
    if scope.subjects is None:
        return statements.format(tenant=scope.tenant_id, subjects="*", closed="'*'")
    subjects = f"{{{','.join(map(str, scope.subjects))}}}"
    return statements.format(tenant=scope.tenant_id, subjects=subjects, closed="look_at_lists()")


async def _leave_idle(connection: Any) -> None:
    """End an open transaction, so that the connection carries nothing over; drop the connection if that fails. Then the
    error, or the cancellation, that brought this about is the one that goes on.
    """
    if connection.is_closed() or not connection.is_in_transaction():
        return
    try:
        await connection.execute("rollback", timeout=5)
    except _FOREIGN:
        connection.terminate()
    except BaseException:
        connection.terminate()
        raise


# What asyncpg raises, a protocol state that a killed server leaves behind (InternalClientError) included.
_FOREIGN = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_CAUSES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    (
        (asyncpg.DiskFullError,),
        "The database's disk is full, nothing was changed. Free space on it and try again.",
    ),
    (
        (asyncpg.QueryCanceledError,),
        "The database took too long and the query was cancelled. Try again, or narrow the request.",
    ),
    (
        (asyncpg.TooManyConnectionsError,),
        "The database has no connection left. Lower KNOWLOG_DATABASE_POOL_SIZE or raise its limit.",
    ),
    (
        (
            asyncpg.PostgresConnectionError,
            asyncpg.OperatorInterventionError,
        ),
        "The database does not answer. Nothing was changed; try again in a moment.",
    ),
    (
        (TimeoutError,),
        "The database did not answer in time. Nothing was changed; try again in a moment.",
    ),
    (
        (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError),
        "The database cannot be reached. Nothing was changed; try again in a moment.",
    ),
)
_IN_THE_WAY = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_NOT_HERE = "KL001"
_READ_ONLY = (
    "Nothing can be written for a moment, because your tenant is being moved to another database, or the database is one"
    " that is only read. Nothing was changed; try again in a moment."
)

_UNSTORABLE = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.DatetimeFieldOverflowError,
    asyncpg.NumericValueOutOfRangeError,
)


def translate(error: Exception) -> Exception:
    """Map what asyncpg raises to an error of ours; one that callers handle themselves comes back as it is."""
    if type(error) is asyncpg.DataError or isinstance(error, _UNSTORABLE):  # plain: asyncpg's own refusal
        _log.warning("a value cannot be stored: %s", error)
        return Invalid(
            "A value is out of range or holds characters that cannot be stored. Correct it and try again."
        )
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        _log.info("deleted meanwhile: %s", error)
        return NotFound(_deleted(error.constraint_name or ""))
    if isinstance(error, _IN_THE_WAY):
        return InTheWay("Another change was in the way. Nothing was changed; try again.")
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        return ReadOnly(_READ_ONLY)
    if getattr(error, "sqlstate", None) == _NOT_HERE:
        return Elsewhere(str(getattr(error, "hint", "") or ""))
    for kinds, sentence in _CAUSES:
        if isinstance(error, kinds):
            return Unavailable(sentence)
    return error


def _deleted(constraint: str) -> str:
    """Say what another transaction deleted while this one was about to refer to it."""
    if "collection_id" in constraint:
        return "There is no such collection any more. Nothing was changed. `GET /v1/collections` lists yours."
    return "What this belongs to was deleted meanwhile. Nothing was changed."


async def connect(url: str, **options: Any) -> Connection:
    """Open one connection, with jsonb as Python values. Raises Unavailable or Misconfigured."""
    try:
        connection = await asyncpg.connect(url, timeout=10, **options)
        await _prepare(connection)
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise Misconfigured(f"PostgreSQL refuses the login: {error}. Check KNOWLOG_DATABASE_URL.") from error
    except ssl.SSLError as error:
        raise Misconfigured(f"KNOWLOG_DATABASE_URL cannot be used: {error}") from error
    except ValueError as error:  # its text may hold what stands in the place of the port: part of a password
        raise Misconfigured(
            f"KNOWLOG_DATABASE_URL cannot be used: write postgresql://user:password@host:port/name. {ENCODE}"
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"PostgreSQL cannot be reached ({str(error) or 'no answer in 10 s'})."
            " Check that it runs and KNOWLOG_DATABASE_URL."
        ) from error
    return connection


async def open_pool(settings: DatabaseSettings, url: str) -> asyncpg.Pool:
    """Open the pool of one process. Raises as `connect` does."""
    probe = await connect(url)
    await probe.close()
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=settings.pool_size,
        init=_prepare_pooled,
        reset=_nothing_to_reset,
        command_timeout=settings.statement_timeout_s,
        statement_cache_size=200 if settings.prepared_statements else 0,
        max_inactive_connection_lifetime=300,
    )


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=lambda value: b"\x01" + orjson.dumps(value, default=str),
        decoder=lambda data: orjson.loads(data[1:]), format="binary",
    )  # fmt: skip


async def _prepare_pooled(connection: Any) -> None:
    await _prepare(connection)
    schema = await connection.fetchval(
        "select n.nspname from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typname = 'halfvec'"
    )
    for name in ("halfvec", "sparsevec"):  # pgvector's types travel as the bytes that it sends and reads
        await connection.set_type_codec(name, schema=schema, encoder=bytes, decoder=bytes, format="binary")


async def _nothing_to_reset(_connection: Any) -> None:
    """Every setting of ours is local to a transaction, so that a pooled connection has nothing to forget."""
