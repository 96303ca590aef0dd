"""What the chaos benchmark counts, on a real database into which the damage was done on purpose."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from at_work import at_work, fake_app
from knowlog.bootstrap import App
from knowlog.cli.bench.chaos.killing import Death
from knowlog.cli.bench.chaos.verdict import takeovers, wrong_documents
from knowlog.cli.bench.chaos.workload import name_of, text_of
from knowlog.database import Database, Scope
from knowlog.documents import Profile, Upload, create_collection

_DOCUMENTS = 3


@pytest.fixture
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App on the shared database, with the fake model."""
    async with fake_app(server_dir) as opened:
        yield opened


@pytest.fixture
async def indexed(app: App, tenant: Scope) -> Scope:
    """Alice's tenant, in which the benchmark's documents are indexed as they were sent."""
    uploads = [
        Upload(name_of(number), "note.txt", text_of(number, 1).encode()) for number in range(_DOCUMENTS)
    ]
    async with app.database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "chaos", app.complete_profile(Profile()))
        await app.receiver.receive(connection, tenant, "chaos", uploads)
    async with at_work(app):
        while await _rows(app, tenant, "select 1 from documents where state <> 'indexed'"):
            await asyncio.sleep(0.05)
    return tenant


async def _rows(app: App, scope: Scope, query: str) -> list[Any]:
    async with app.database.transaction(scope) as connection:
        return list(await connection.fetch(query))


async def _wrong(app: App, scope: Scope, damage: str | None = None) -> set[str]:
    """What is counted as wrong, after the owner did this to the rows of the tenant."""
    if damage:
        async with app.database.owner() as owner:
            await owner.execute(f"{damage} and tenant_id = '{scope.tenant_id}'")
    async with app.database.transaction(scope) as connection:
        return await wrong_documents(connection, _DOCUMENTS)


_ONE = "document_id = (select min(document_id::text)::uuid from knowlog.documents where tenant_id = '{}')"


@pytest.mark.parametrize(
    ("damage", "count"),
    [
        ("update knowlog.chunks set text = 'The words of some other document entirely.' where true", 3),
        ("update knowlog.versions set text = 'Note 1, as it stood.' where true", 3),
        ("update knowlog.versions set content_hash = '' where {one}", 1),
        ("update knowlog.chunks set end_offset = 4, text = 'Note' where {one}", 1),
        ("delete from knowlog.chunks where {one}", 1),
    ],
    ids=["other words", "another text", "another upload", "a part of it", "nothing"],
)
async def test_wrong_content_is_counted(app, indexed: Scope, damage: str, count: int) -> None:
    """As they were sent none is wrong; then each damage is seen."""
    assert await _wrong(app, indexed) == set()
    one = _ONE.format(indexed.tenant_id)
    assert len(await _wrong(app, indexed, damage.format(one=one))) == count


async def test_a_takeover_counts_from_the_first_death(app, indexed: Scope) -> None:
    """Two workers die over one event, and a third after it was done."""
    [row] = await _rows(
        app, indexed, "select event_id, finished_at from events where type = 'document.received' limit 1"
    )
    deaths = [
        Death(row["finished_at"] - timedelta(seconds=before), 0, (row["event_id"],)) for before in (20, 5, -3)
    ]
    found = await takeovers(app.database, deaths)
    assert found == {"takeover_p50_s": 20.0, "takeover_p99_s": 20.0, "taken_over": 1}


async def test_what_a_paused_worker_did_itself_is_no_takeover(app, indexed: Scope) -> None:
    """Its transaction may have been under way; it commits when the worker goes on, if nobody has taken the work over."""
    [row] = await _rows(
        app,
        indexed,
        "select event_id, finished_at, worker from events where type = 'document.received' limit 1",
    )
    own = int(row["worker"].split("-")[-2])
    pauses = [
        Death(row["finished_at"] - timedelta(seconds=before), by, (row["event_id"],))
        for before, by in ((20, own), (8, 0))
    ]
    assert (await takeovers(app.database, pauses[:1]))["taken_over"] == 0
    assert (await takeovers(app.database, pauses))["takeover_p99_s"] == 8.0
