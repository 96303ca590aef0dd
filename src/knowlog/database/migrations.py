"""Plain SQL migrations, applied in order, once, under a lock."""

import hashlib
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from knowlog.database.pool import Connection, connect
from knowlog.kernel.errors import Misconfigured

_LOG = logging.getLogger("knowlog.database")
_LOCK = 0x6B6E6F776C6F67  # "knowlog"
_OLDEST_SERVER = 160000
_OLDEST_VECTOR = (0, 8)
# pgvector's settings (hnsw.ef_search ...) can be named by an ordinary login once its library is loaded in the session.
_LOAD_VECTOR = "do $$ begin if to_regtype('vector') is not null then perform '[1]'::vector; end if; end $$"

_PUT_ON = ("set", "inherit false, set true")
_ROLES = (
    ("knowlog_app", *_PUT_ON),
    ("knowlog_system", *_PUT_ON),
    ("knowlog_door", "usage", "inherit true, set false"),
)
"""What the application's login is given: which privilege it must have, and the options that give it."""


async def migrate(connection: Any, app_login: str) -> list[str]:
    """Bring the schema up to date and let `app_login` put on the application's roles. Returns the names applied.

    Raises Misconfigured when the server is too old, has no pgvector, or the login may not do this.
    """
    await check_server(connection)
    await connection.execute("select pg_advisory_lock($1)", _LOCK)
    try:
        applied = await _apply_missing(connection)
        await _grant_roles(connection, app_login)
        await _mend_log(connection)
    except asyncpg.InsufficientPrivilegeError as error:
        raise _refused(error) from error
    finally:
        await connection.execute("select pg_advisory_unlock($1)", _LOCK)
    return applied


def _refused(error: asyncpg.InsufficientPrivilegeError) -> Misconfigured:
    """What to say of a login that may not do what the schema's owner does."""
    return Misconfigured(
        f"The PostgreSQL login may not set up knowlog: {error.args[0]}. It needs CREATE on the database and CREATEROLE,"
        " and the extension must be there (a superuser runs: CREATE EXTENSION vector); where knowlog is set up already,"
        " it must be the login that did it. Another login for this can be given as KNOWLOG_DATABASE_OWNER_URL."
    )


@asynccontextmanager
async def system_of_owner(owner_url: str) -> AsyncIterator[Connection]:
    """Open a transaction as `Database.system` does, for the schema's owner and before the schema is brought up to date;
    before the first start there is nothing to see. Raises Misconfigured as `migrate` does.
    """
    connection = await connect(owner_url)
    try:
        async with connection.transaction():
            if await connection.fetchval("select to_regprocedure('knowlog.give_to_definer(name, text[])')"):
                await connection.execute("set local role knowlog_system")
            yield connection
    except asyncpg.InsufficientPrivilegeError as error:
        raise _refused(error) from error
    finally:
        await connection.close()


async def prepare_schema(url: str, owner_url: str) -> None:
    """Bring the schema of a database up to date, for the login of `url`. Raises as `connect` and `migrate` do."""
    connection = await connect(owner_url)
    try:
        await migrate(connection, await _login_of(url))
    finally:
        await connection.close()


async def _login_of(url: str) -> str:
    """The name that PostgreSQL knows the login by; asked of the server where the address does not say it."""
    named = urlsplit(url).username
    if named:
        return unquote(named)
    connection = await connect(url)
    try:
        return str(await connection.fetchval("select current_user"))
    finally:
        await connection.close()


async def check_server(connection: Any) -> None:
    """Raise Misconfigured unless the server is PostgreSQL 16+ with pgvector 0.8+."""
    version = int(await connection.fetchval("show server_version_num"))
    if version < _OLDEST_SERVER:
        raise Misconfigured(
            f"PostgreSQL {version // 10000} is too old. knowlog needs PostgreSQL 16 or newer."
        )
    vector = await connection.fetchval(
        "select coalesce((select extversion from pg_extension where extname = 'vector'),"
        " (select default_version from pg_available_extensions where name = 'vector'))"
    )
    if vector is None:
        raise Misconfigured(
            "PostgreSQL has no pgvector. Install the extension 'vector' 0.8 or newer on the server."
        )
    if tuple(int(part) for part in vector.split(".")[:2]) < _OLDEST_VECTOR:
        raise Misconfigured(
            f"pgvector {vector} is too old. knowlog needs 0.8 or newer: ALTER EXTENSION vector UPDATE."
        )


async def _apply_missing(connection: Any) -> list[str]:
    first, *more = _migrations()
    async with connection.transaction():  # a login that may not do the first leaves nothing behind
        await connection.execute(
            "create schema if not exists knowlog; create table if not exists knowlog.migrations"
            " (name text primary key, checksum text not null, applied_at timestamptz not null default now())"
        )
        done = dict(await connection.fetch("select name, checksum from knowlog.migrations"))
        applied = await _apply(connection, *first, done)
    for name, sql in more:
        applied += await _apply(connection, name, sql, done)
    return applied


async def _apply(connection: Any, name: str, sql: str, done: Mapping[str, str]) -> list[str]:
    """Apply one migration, unless it is done. Returns its name if it was applied now."""
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if name in done:
        if done[name] != checksum:
            raise Misconfigured(f"Migration {name} was changed after it was applied. Restore its text.")
        return []
    async with connection.transaction():
        await connection.execute(_LOAD_VECTOR)
        await connection.execute(sql)
        await connection.execute(
            "insert into knowlog.migrations (name, checksum) values ($1, $2)", name, checksum
        )
    return [name]


def _migrations() -> list[tuple[str, str]]:
    folder = files("knowlog.database") / "migrations"
    return sorted((f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".sql"))


async def _mend_log(connection: Any) -> None:
    """Make the log one that can be followed, where a dump of another cluster was restored."""
    async with connection.transaction():
        await connection.execute("set local role knowlog_definer")
        mended = await connection.fetchval("select knowlog.mend_log()")
    if mended:
        _LOG.warning("the log came from another PostgreSQL cluster: %d events were numbered anew", mended)


async def _grant_roles(connection: Any, app_login: str) -> None:
    login = app_login.replace('"', '""')
    for role, has, options in _ROLES:
        if not await connection.fetchval("select pg_has_role($1::name, $2::name, $3)", app_login, role, has):
            await connection.execute(f'grant {role} to "{login}" with {options}')
