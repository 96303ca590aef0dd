"""The brokers from which sources read, and whether all sources are read."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, get_args

from knowlog.bus import connect_broker
from knowlog.cli.doctor.database import owner_url
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.database import connect
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings
from knowlog.sources import SourceKind, in_words

_PART = "sources"


async def check_sources(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each broker that is named for its version, as a worker would reach it; then how the sources are."""
    for kind in get_args(SourceKind):
        if url := settings.sources.url_of(kind):
            yield await _broker(settings, kind, url)
    owner = owner_url(settings)
    if owner is not None:
        yield judge(await _health(owner))


def judge(rows: Sequence[Any]) -> Finding:
    """Say what the state of all sources means."""
    if not rows:
        return ok(_PART, "there are none")
    active, troubled, dead = (sum(row[name] for row in rows) for name in ("active", "troubled", "dead"))
    found = f"{active} active, {dead} dead letters"
    if troubled:
        reason = next(row["trouble"] for row in rows if row["trouble"])
        return warn(
            _PART, f"{found}; {troubled} not read: {reason}", "Mend it; workers then go on by themselves."
        )
    if dead:
        return warn(_PART, found, "`knowlog sources dead` says why; `knowlog sources replay` takes them in.")
    return ok(_PART, found)


async def _broker(settings: Settings, kind: str, url: str) -> Finding:
    part = f"{_PART}: {kind}"
    try:
        broker = connect_broker(kind, url, settings.bus)
        try:
            return ok(part, await broker.check())
        finally:
            await broker.close()
    except KnowlogError as error:
        setting = f"KNOWLOG_SOURCES_{kind.upper()}_URL"
        return fail(part, in_words(error, kind), f"Start {kind}, or correct {setting}.")


async def _health(url: str) -> Sequence[Any]:
    connection = await connect(url)
    try:
        if await connection.fetchval("select to_regproc('knowlog.source_health')") is None:
            return []
        await connection.execute("set role knowlog_system")
        rows: Sequence[Any] = await connection.fetch("select * from knowlog.source_health()")
        return rows
    finally:
        await connection.close()
