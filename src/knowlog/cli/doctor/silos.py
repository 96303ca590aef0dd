"""Silos: each reachable, new enough, with our tables; and moves of tenants that stand still."""

from collections.abc import AsyncIterator
from dataclasses import replace

from knowlog.cli.doctor.database import check_at, open_database, owner_url
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.database import HERE, beside
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_STANDS_S = 300
_LOST = """
    select p.silo, count(*) as tenants from knowlog.places p
    where p.state = 'away' and p.silo <> all($1::text[]) group by p.silo order by p.silo"""
_STANDING = """
    select moved_id, step, reason, extract(epoch from now() - changed_at)::double precision as since_s
    from knowlog.moves where finished_at is null order by asked_at"""


async def check_silos(settings: Settings) -> AsyncIterator[Finding]:
    """Look at every silo without changing anything. One that does not answer breaks its tenants alone."""
    urls, home = settings.database.silo_urls, owner_url(settings)
    for name, (_, url) in urls.items():
        if url == HERE and home is None:
            continue  # said of the home already
        try:
            async for finding in check_at(beside(home, name) if url == HERE and home else url):
                if finding.outcome != "ok" or finding.part in ("postgresql", "migrations"):
                    yield replace(finding, part=f"silo {name}: {finding.part}")
        except KnowlogError as error:
            yield fail(
                f"silo {name}", error.detail, f"Start it, or correct {name} in KNOWLOG_DATABASE_SILOS."
            )
    async for finding in _moves(settings, list(urls)):
        yield finding


async def _moves(settings: Settings, known: list[str]) -> AsyncIterator[Finding]:
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        if await connection.fetchval("select to_regclass('knowlog.moves')") is None:
            return
        await connection.execute("set role knowlog_definer")
        for row in await connection.fetch(_LOST, known):
            yield fail(
                "silos", f"{counted(row['tenants'], 'tenant')} in {row['silo']}, which is not in the settings",
                f"Name {row['silo']} in KNOWLOG_DATABASE_SILOS of every process.",
            )  # fmt: skip
        rows = await connection.fetch(_STANDING)
        for row in rows:
            if row["reason"] or row["since_s"] > _STANDS_S:
                why = row["reason"] or "nobody does it"
                yield warn(
                    "moves", f"the move of {row['moved_id']} stands at {row['step']}: {why}",
                    "Start `knowlog worker`, or see `knowlog tenants move` of this tenant; --cancel gives it up.",
                )  # fmt: skip
        if known:
            yield ok("moves", f"{len(rows)} under way")
    finally:
        await connection.close()
