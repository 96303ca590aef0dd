"""PostgreSQL: reachable, new enough, with our tables, and keeping tenants apart."""

from collections.abc import AsyncIterator, Callable, Sequence
from importlib.resources import files
from typing import Any

from knowlog.bus import QUEUES
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.database import Connection, EmbeddedServer, check_server, connect
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_OLD_JOB_S = 600
_NOBODYS_S = 30
"""A job that is due for so long while none runs has no worker."""
_LATE_S = 60
_UNPROTECTED = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'knowlog' and c.relkind in ('r', 'p')
      and exists (select from pg_attribute a
                  where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
      and not (c.relrowsecurity and c.relforcerowsecurity
               and exists (select from pg_policy p where p.polrelid = c.oid))
    order by 1"""

_UNLISTED = """
    select t.name from unnest(array['documents', 'collections', 'versions', 'chunks', 'chunk_terms', 'vectors', 'events',
                                    'deletion_receipts']) t (name)
    where not exists (select from pg_policy p where p.polrelid = to_regclass('knowlog.' || t.name)
                      and p.polname = 'audience' and not p.polpermissive)
    order by 1"""

_DEAD = """
    select count(*) from knowlog.events e
    where e.state = 'failed' and not exists (
        select from knowlog.events later
        where later.tenant_id = e.tenant_id and later.subject = e.subject and later.type = e.type
          and later.position > e.position
          and (later.data -> 'event_id', later.data -> 'letter', later.data -> 'blobs')
            is not distinct from (e.data -> 'event_id', e.data -> 'letter', e.data -> 'blobs'))"""


async def check_database(settings: Settings) -> AsyncIterator[Finding]:
    """Look at PostgreSQL without changing anything."""
    url = owner_url(settings)
    if url is None:
        yield warn("postgresql", "not running", "`knowlog up` starts it.")
        return
    async for finding in check_at(url):
        yield finding


async def check_at(url: str) -> AsyncIterator[Finding]:
    """Look at the PostgreSQL where the schema's owner logs in by `url`."""
    connection = await connect(url)
    try:
        await check_server(connection)
        yield ok("postgresql", str(await connection.fetchval("show server_version")))
        vector = await connection.fetchval("select extversion from pg_extension where extname = 'vector'")
        yield (
            ok("pgvector", str(vector)) if vector else warn("pgvector", "not set up", "`knowlog up` does it.")
        )
        async for finding in _schema(connection):
            yield finding
    finally:
        await connection.close()


async def open_database(settings: Settings) -> Connection | None:
    """A connection of the schema's owner; None where there is no database, or none that answers, as `check_database`
    tells.
    """
    url = owner_url(settings)
    if url is None:
        return None
    try:
        return await connect(url)
    except KnowlogError:
        return None


def owner_url(settings: Settings) -> str | None:
    """Return where the schema's owner logs in, None where the embedded server does not run."""
    database = settings.database
    if database.url is not None:
        return (database.owner_url or database.url).get_secret_value()
    server = EmbeddedServer(settings.data_dir, database)
    return server.url("postgres") if server.running else None


async def _schema(connection: Any) -> AsyncIterator[Finding]:
    if await connection.fetchval("select to_regclass('knowlog.migrations')") is None:
        yield warn("migrations", "none is applied", "`knowlog up` applies them.")
        return
    applied = {row["name"] for row in await connection.fetch("select name from knowlog.migrations")}
    folder = files("knowlog.database") / "migrations"
    known = {each.name for each in folder.iterdir() if each.name.endswith(".sql")}
    yield _migrations(known - applied, applied - known)
    unprotected = [row["relname"] for row in await connection.fetch(_UNPROTECTED)]
    if unprotected:
        yield fail(
            "tenant isolation", f"no row-level security in force on {', '.join(unprotected)}",
            "Stop serving; run: select knowlog.protect_tables();",
        )  # fmt: skip
    else:
        yield ok("tenant isolation", "row-level security is in force on every tenant table")
    unlisted = [row["name"] for row in await connection.fetch(_UNLISTED)]
    if unlisted and not known - applied:
        yield fail(
            "permissions", f"no policy of lists on {', '.join(unlisted)}",
            "Stop serving; make the policy audience anew, as migration 0024 has it.",
        )  # fmt: skip
    if await connection.fetchval("select to_regprocedure('knowlog.due_work()')"):
        await connection.execute("set role knowlog_definer")  # whose functions these are
        yield judge_queue(
            await queue_depth(connection), await connection.fetch("select * from knowlog.due_work()")
        )
    if await connection.fetchval("select to_regprocedure('knowlog.next_schedule_s()')"):
        yield _schedules(await connection.fetchval("select knowlog.next_schedule_s()"))
    for name, judge in _OVERVIEWS.items():
        if await connection.fetchval("select to_regprocedure($1)", f"knowlog.{name}()"):
            yield judge(await connection.fetchrow(f"select * from knowlog.{name}()"))  # noqa: S608 - names of ours


async def queue_depth(connection: Connection) -> dict[str, int]:
    """How many jobs run, and how many have `failed` as `knowlog jobs dead` lists them, of all tenants."""
    depth = await connection.fetchrow("select * from knowlog.queue_depth()")
    async with connection.transaction():
        await connection.execute("set local role knowlog_definer")
        return {"running": depth["running"], "failed": await connection.fetchval(_DEAD)}


def _migrations(missing: set[str], unknown: set[str]) -> Finding:
    if unknown:
        return fail(
            "migrations",
            f"the schema is newer: {', '.join(sorted(unknown))}",
            "Install the newest knowlog: pip install --upgrade knowlog.",
        )
    if missing:
        return warn(
            "migrations", f"not applied: {', '.join(sorted(missing))}", "The next start applies them."
        )
    return ok("migrations", "all are applied")


def judge_queue(row: Any, work: Sequence[Any]) -> Finding:
    """Say what the queue's depth means. `work`: by type, how much is due and how much waits for a later moment."""
    due, later = (sum(each[name] for each in work) for name in ("due", "later"))
    found = f"{due} due, {row['running']} running, {row['failed']} failed"
    if later:
        found += f", {later} for later"
    oldest = max(work, key=lambda each: float(each["oldest_s"]), default=None)
    if oldest is not None and oldest["oldest_s"] > _NOBODYS_S and due and not row["running"]:
        return warn(
            "queue",
            f"{found}, and no worker takes what is due for {oldest['oldest_s']:.0f} s",
            "Start `knowlog up` or a `knowlog worker`; the log of one that runs says what keeps it.",
        )
    if oldest is not None and oldest["oldest_s"] > _OLD_JOB_S:
        queue = QUEUES.get(oldest["type"], "unknown")
        return warn(
            "queue",
            f"{found}; the oldest, in the queue {queue}, is due for {oldest['oldest_s']:.0f} s",
            f"Start another `knowlog worker`, or one with `--queues {queue}`.",
        )
    if row["failed"]:
        return warn(
            "queue",
            found,
            "`knowlog jobs dead` says why, `knowlog jobs retry --all` tries again; `knowlog tenants queues` says whose.",
        )
    return ok("queue", found)


def judge_chunks(row: Any) -> Finding:
    """Say whether documents have the chunks of their collections' profiles."""
    if not row["collections"]:
        return ok("chunks", "all collections have the chunks of their profile")
    found = f"{counted(row['collections'], 'collection')} cut anew by a changed profile"
    if row["untouched_s"] > _OLD_JOB_S:
        return warn(
            "chunks", f"{found}, and no worker sees to it", "Start `knowlog up` or a `knowlog worker`."
        )
    return ok("chunks", found)


def judge_indexes(row: Any) -> Finding:
    """Say whether indexes whose time is up are removed."""
    found = f"{row['beside']} stand beside those that answer"
    if row["expired_s"] > _OLD_JOB_S:
        return warn(
            "indexes",
            f"{found}, and nobody removes those whose time is up",
            "Start `knowlog up` or a `knowlog worker`.",
        )
    return ok("indexes", found)


def _schedules(due_s: float | None) -> Finding:
    if due_s is None:
        return ok("schedules", "there are none")
    if due_s < -_LATE_S:
        return warn(
            "schedules",
            f"one should have fired {-due_s:.0f} s ago",
            "Start `knowlog up` or a `knowlog worker`: workers fire schedules.",
        )
    return ok("schedules", f"the next is due in {max(0.0, due_s):.0f} s")


def _webhooks(row: Any) -> Finding:
    found = f"{counted(row['undelivered'], 'delivery')} under way, {row['failing']} failing, {row['disabled']} disabled"
    if row["disabled"] or row["failing"]:
        return warn("webhooks", found, "Their tenants see the reason with `knowlog webhooks list`.")
    if row["oldest_s"] > _OLD_JOB_S:
        return warn(
            "webhooks",
            f"{found}; the oldest waits for {row['oldest_s']:.0f} s",
            "Start another `knowlog worker`.",
        )
    return ok("webhooks", found)


def _audit(row: Any) -> Finding:
    found = f"{counted(row['records'], 'record')} in {counted(row['chains'], 'chain')}"
    if row["cut"]:
        return fail(
            "audit log",
            f"{found}; {row['cut']} do not end where their head says: records were removed or changed",
            "Run `knowlog audit verify` with the anchors that you have kept, and compare with your backups.",
        )
    return ok("audit log", found)


def _life(row: Any) -> Finding:
    found = f"{row['tenants']}, of which {row['suspended']} suspended"
    if row["unfinished_receipts"]:
        return warn(
            "tenants",
            f"{found}; of {row['unfinished_receipts']} that were deleted, original files may be left",
            "Start `knowlog up` or a `knowlog worker`: workers remove them within an hour.",
        )
    if row["waiting_of_suspended"]:
        found += f" with {counted(row['waiting_of_suspended'], 'job')} in wait"
    return ok("tenants", found)


_OVERVIEWS: dict[str, Callable[[Any], Finding]] = {
    "webhook_health": _webhooks,
    "rechunking_overview": judge_chunks,
    "index_overview": judge_indexes,
    "audit_overview": _audit,
    "life_overview": _life,
}
"""Functions of the database that tell of all tenants in one row, and what is made of it."""
