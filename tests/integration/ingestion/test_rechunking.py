"""When a profile's chunking changes, the documents that are there are cut anew; their old chunks answer until then."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from at_work import at_work, environ_of, fake_app
from knowlog.bootstrap import App
from knowlog.bus import Wanted, claim, list_events
from knowlog.cli.doctor.database import judge_chunks
from knowlog.database import Database, Scope
from knowlog.documents import (
    Collection,
    Profile,
    Upload,
    cancel_job,
    create_collection,
    delete_collection,
    get_collection,
    get_document,
    update_collection,
)
from knowlog.ingestion import Rechunker
from knowlog.retrieval import RetrievalProfile, Search, retrieve

FINE = {"chunking": {"size_tokens": 16, "overlap": 0.0}}
TEXT = " ".join(f"Zebra number {n} sleeps in stable {n} at noon." for n in range(12))
SOON = timedelta(milliseconds=50)


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App; one document may be cut into 30 chunks."""
    async with fake_app(server_dir, WORKER_BACKOFF_S="0.05", PARSING_MAX_CHUNKS="30") as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.rechunkings;"
            " delete from knowlog.events where state in ('waiting', 'running')"
        )


@pytest.fixture
async def notes(app: App, tenant: Scope) -> UUID:
    """Alice's collection of eight documents of one large chunk each, indexed."""
    async with app.database.transaction(tenant) as connection:
        made = await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))
    async with at_work(app):
        await put(app, tenant, {f"note-{n}": f"{TEXT} This is note {n}." for n in range(8)})
        await until(app, tenant, lambda found: found == {1: 8})
    return made.collection_id


async def put(app: App, scope: Scope, texts: dict[str, str]) -> list[UUID]:
    uploads = [Upload(name, f"{name}.txt", text.encode()) for name, text in texts.items()]
    async with app.database.transaction(scope) as connection:
        received = await app.receiver.receive(connection, scope, "notes", uploads)
    return [each.document.document_id for each in received]


async def change(app: App, scope: Scope, **values: Any) -> Collection:
    """Change the collection as its owner does: its name, or its profile."""
    profile = app.complete_profile(Profile(**values["profile"])) if "profile" in values else None
    async with app.database.transaction(scope) as connection:
        return await update_collection(connection, scope, "notes", name=values.get("name"), profile=profile)


async def shown(app: App, scope: Scope) -> Collection:
    async with app.database.transaction(scope) as connection:
        return await get_collection(connection, scope, "notes")


async def cut(app: App, scope: Scope) -> dict[int, int]:
    """How many documents are cut into how many chunks."""
    async with app.database.transaction(scope) as connection:
        rows = await connection.fetch(
            "select n::int, count(*)::int as documents from"
            " (select count(*) as n from chunks group by document_id) counted group by n"
        )
    return {row["n"]: row["documents"] for row in rows}


async def until(app: App, scope: Scope, held: Callable[[dict[int, int]], bool]) -> dict[int, int]:
    for _ in range(600):
        found = await cut(app, scope)
        if held(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def finished(app: App, scope: Scope) -> dict[str, Any]:
    """What the event says that reports the end of it."""
    for _ in range(600):
        async with app.database.transaction(scope) as connection:
            told = await list_events(connection, scope, Wanted(["collection.rechunked"]), "newest", 10)
        if told and (await shown(app, scope)).rechunking is None:
            return told[0].data
        await asyncio.sleep(0.05)
    raise AssertionError(await shown(app, scope))


async def step(app: App, at_once: int = 64) -> None:
    """What a worker's maintenance does, once."""
    await Rechunker(app.database, "test", at_once=at_once, pause=SOON).rechunk()


def fine(found: dict[int, int], documents: int = 8) -> bool:
    """Whether all documents are cut into many chunks."""
    return min(found) > 5 and sum(found.values()) == documents


async def test_documents_are_cut_anew_and_the_event_says_so(app, tenant, notes) -> None:
    """All of them, without being sent again; then nothing is left to show."""
    await change(app, tenant, profile=FINE)
    async with at_work(app):
        assert await finished(app, tenant) == {
            "collection_id": str(notes),
            "document_count": 8,
            "left_count": 0,
        }
    assert fine(await cut(app, tenant))


async def test_old_chunks_answer_until_the_new_ones_are_there(app, tenant, notes) -> None:
    """No question, at any moment, finds fewer documents or one twice."""
    await change(app, tenant, profile=FINE)
    once = RetrievalProfile(one_per_document=True)
    search, seen = Search("where does zebra 7 sleep", (notes,), 20, profile=once), []
    async with at_work(app):
        while (await shown(app, tenant)).rechunking:
            found = await retrieve(app.database, tenant, app.embedder, app.store, search)
            seen.append(sorted(passage.external_id for passage in found.passages))
    assert len(seen) > 3
    assert {tuple(each) for each in seen} == {tuple(f"note-{n}" for n in range(8))}


async def test_progress_is_told(app, tenant, notes) -> None:
    """Nothing is done before a worker comes."""
    changed = await change(app, tenant, profile=FINE)
    assert changed.rechunking is not None
    assert (changed.rechunking.done, changed.rechunking.total) == (0, 8)


@pytest.mark.parametrize(
    "values", [{"name": "papers"}, {"profile": {"retrieval": {"depth": 50}}}, {"profile": {}}]
)
async def test_what_does_not_concern_chunks_cuts_nothing_anew(app, tenant, notes, values) -> None:
    """A new name, other values of retrieval, the same profile again."""
    assert (await change(app, tenant, **values)).rechunking is None


async def test_a_name_makes_no_new_version_of_the_profile(app, tenant, notes) -> None:
    """Also when the same profile comes with it."""
    assert (await change(app, tenant, name="papers", profile={})).profile_version == 1


async def test_few_documents_wait_at_a_time(app, tenant, notes) -> None:
    """So that an upload has no more than these before it."""
    await change(app, tenant, profile=FINE)
    for _ in range(3):
        await step(app, at_once=3)
        await asyncio.sleep(SOON.total_seconds())
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from events where state = 'waiting'") == 3


async def test_a_document_that_fails_keeps_its_chunks(app, tenant, notes) -> None:
    """It says why; the others are cut anew."""
    async with at_work(app):
        (large,) = await put(app, tenant, {"large": f"{TEXT} {TEXT} {TEXT}"})
        await until(app, tenant, lambda found: sum(found.values()) == 9)
        await change(app, tenant, profile=FINE)
        assert (await finished(app, tenant))["left_count"] == 1
    async with app.database.transaction(tenant) as connection:
        document = await get_document(connection, tenant, large)
        left = await connection.fetchval("select count(*) from chunks where document_id = $1", large)
    assert document.state == "failed"
    assert "choose larger chunks" in document.reason
    assert left > 0


async def test_a_cancelled_job_is_not_asked_for_again(app, tenant, notes) -> None:
    """Its document goes on with the chunks that it has."""
    await change(app, tenant, profile=FINE)
    await step(app)
    async with app.database.transaction(tenant) as connection:
        job = await connection.fetchval("select event_id from events where state = 'waiting' limit 1")
        await cancel_job(connection, job, "alice")
    async with at_work(app):
        assert (await finished(app, tenant))["left_count"] == 1
    assert sorted((await cut(app, tenant)).values())[0] == 1


async def test_a_change_in_the_middle_begins_anew(app, tenant, notes) -> None:
    """The last profile holds for all."""
    await change(app, tenant, profile=FINE)
    await step(app, at_once=4)
    await change(app, tenant, profile={"chunking": {"size_tokens": 300}})
    async with at_work(app):
        await finished(app, tenant)
    assert await cut(app, tenant) == {1: 8}


async def test_what_was_being_indexed_by_the_old_profile_is_cut_anew(app, tenant, notes) -> None:
    """A worker that has read the profile of before may commit after the change."""
    await put(app, tenant, {"late": TEXT})
    (event,) = await claim(app.database, "slow", 60, 1)
    scope = Scope(tenant.tenant_id, "worker:slow")
    (source,) = await app.indexer._read("slow", scope, [event])
    await change(app, tenant, profile=FINE)
    await step(app)
    models = await app.indexer._vectors.models_for([source])
    prepared = [await app.indexer._prepare("slow", scope, source, 256)]
    await app.indexer._write(
        "slow", scope, prepared, await app.indexer._vectors.embed(scope, prepared, models)
    )
    async with at_work(app):
        await finished(app, tenant)
    assert fine(await cut(app, tenant), documents=9)


async def test_strangers_see_nothing_of_it(app, tenant, other_tenant, notes) -> None:
    """Charlie asks by the id of Alice's collection."""
    await change(app, tenant, profile=FINE)
    async with app.database.transaction(other_tenant) as connection:
        assert await connection.fetchval("select collection_rechunking($1)", notes) is None


async def test_deleting_the_collection_ends_it(app, tenant, notes) -> None:
    """Nothing is left for workers."""
    await change(app, tenant, profile=FINE)
    async with app.database.transaction(tenant) as connection:
        await delete_collection(connection, tenant, "notes")
        assert await connection.fetchval("select count(*) from rechunkings") == 0


async def test_killed_workers_are_followed_by_others(app, tenant, notes, server_dir) -> None:
    """Three are killed with -9 while they cut; in the end every document is cut anew, once."""
    await put_many(app, tenant, 60)
    await change(app, tenant, profile=FINE)
    environ = os.environ | environ_of(server_dir, WORKER_BACKOFF_S="0.05", PARSING_MAX_CHUNKS="30")
    environ["KNOWLOG_WORKER_LEASE_S"] = "2"
    for _ in range(3):
        victim = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "knowlog", "worker", env=environ,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        before = (await shown(app, tenant)).rechunking
        for _ in range(200):
            now = (await shown(app, tenant)).rechunking
            if now is None or before is None or now.done > before.done:
                break
            await asyncio.sleep(0.05)
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
    async with at_work(app):
        assert (await finished(app, tenant))["document_count"] == 68
    assert fine(await cut(app, tenant), documents=68)


async def put_many(app: App, scope: Scope, count: int) -> None:
    async with at_work(app):
        await put(app, scope, {f"more-{n}": f"{TEXT} Also {n}." for n in range(count)})
        await until(app, scope, lambda found: sum(found.values()) == 8 + count)


def test_doctor_says_when_nobody_cuts() -> None:
    """Collections wait, and no worker has looked for long."""
    assert judge_chunks({"collections": 0, "untouched_s": 0.0}).outcome == "ok"
    assert judge_chunks({"collections": 1, "untouched_s": 5.0}).outcome == "ok"
    assert judge_chunks({"collections": 1, "untouched_s": 900.0}).outcome == "warn"
