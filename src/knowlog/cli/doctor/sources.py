"""The brokers from which sources read, and whether all sources are read."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, get_args

from knowlog.bus import connect_broker
from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.database import Connection
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.wording import counted
from knowlog.settings import Settings
from knowlog.sources import SourceKind, in_words

_PART = "sources"
_SHOWN = 5
_MOST = 200


async def check_sources(settings: Settings) -> AsyncIterator[Finding]:
    """Ask each broker that is named for its version, as a worker would reach it; then how the sources are."""
    for kind in get_args(SourceKind):
        if url := settings.sources.url_of(kind):
            yield await _broker(settings, kind, url)
    connection = await open_database(settings)
    if connection is not None:
        yield judge(*await _health(connection))


def judge(rows: Sequence[Any], named: Sequence[Any]) -> Finding:
    """Say what the state of all sources means. `named` are those that are not read or have dead letters."""
    if not rows:
        return ok(_PART, "there are none")
    active, troubled, dead = (sum(row[name] for row in rows) for name in ("active", "troubled", "dead"))
    found = f"{active} active, {counted(dead, 'dead letter')}"
    if troubled:
        return warn(
            _PART,
            f"{found}; {troubled} not read: {_causes(named)}",
            "Mend it; workers then go on by themselves.",
        )
    if dead:
        found += f" ({_names([each for each in named if each['dead']])})"
        return warn(
            _PART,
            found,
            "`knowlog sources dead` says why; `knowlog sources replay --source NAME` takes them in.",
        )
    return ok(_PART, found)


def _causes(named: Sequence[Any]) -> str:
    """Each cause once, behind the sources that have it."""
    by_cause: dict[str, list[Any]] = {}
    for each in named:
        if each["trouble"]:
            by_cause.setdefault(each["trouble"], []).append(each)
    return " ".join(f"{_names(those)}: {cause}" for cause, those in by_cause.items())


def _names(those: Sequence[Any]) -> str:
    shown = ", ".join(f"{each['name']} of {each['tenant']}" for each in those[:_SHOWN])
    return shown + (f" and {len(those) - _SHOWN} more" if len(those) > _SHOWN else "")


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


async def _health(connection: Connection) -> tuple[Sequence[Any], Sequence[Any]]:
    try:
        if await connection.fetchval("select to_regproc('knowlog.source_troubles')") is None:
            return [], []
        await connection.execute("set role knowlog_system")
        rows: Sequence[Any] = await connection.fetch("select * from knowlog.source_health()")
        named: Sequence[Any] = await connection.fetch("select * from knowlog.source_troubles($1)", _MOST)
        return rows, named
    finally:
        await connection.close()
