"""A collection changes to an index built beside the one that answers, in one step; questions see one or the other."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from at_work import at_work, environ_of, fake_app
from knowlog.bootstrap import App
from knowlog.cli.doctor.database import judge_indexes
from knowlog.database import Database, Scope, load_queries
from knowlog.documents import Profile, Upload, create_collection, get_collection, update_collection
from knowlog.ingestion import (
    Plan,
    Switch,
    ask_switch,
    delete_document,
    drop_expired_indexes,
    get_switch,
    roll_back,
)
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict
from knowlog.retrieval import Retrieved, Search, retrieve
from knowlog.stores import parse_filter

REMOVED = load_queries("knowlog.ingestion", "indexes.sql")
FINE = Profile(chunking={"size_tokens": 16, "overlap": 0.0})
PARENTS = Profile(chunking={"strategy": "parent_child", "size_tokens": 64, "child_tokens": 16})
TEXT = " ".join(f"Zebra number {n} sleeps in stable {n} at noon." for n in range(12))
LARGE, SMALL = 300, 100
"""Characters that the passages of the default profile have at least, and those of FINE at most."""


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App with the fake model."""
    async with fake_app(server_dir, WORKER_BACKOFF_S="0.05") as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


@pytest.fixture
async def notes(app: App, tenant: Scope) -> UUID:
    """Alice's collection of eight documents of one large chunk each, indexed."""
    async with app.database.transaction(tenant) as connection:
        made = await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))
    async with at_work(app):
        await put(app, tenant, [f"note-{n}" for n in range(8)])
        await indexed(app, tenant, 8)
    return made.collection_id


async def put(app: App, scope: Scope, names: Sequence[str], text: str = TEXT) -> list[UUID]:
    uploads = [Upload(name, f"{name}.txt", f"{text} This is {name}.".encode()) for name in names]
    async with app.database.transaction(scope) as connection:
        received = await app.receiver.receive(connection, scope, "notes", uploads)
    return [each.document.document_id for each in received]


async def indexed(app: App, scope: Scope, count: int) -> None:
    """Wait until so many documents answer by their latest version."""
    for _ in range(900):
        async with app.database.transaction(scope) as connection:
            found = await connection.fetchval(
                "select count(*) from documents where state = 'indexed' and version = latest"
            )
        if found == count:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def ask(app: App, scope: Scope, notes: UUID, profile: Profile = FINE) -> Switch:
    async with app.database.transaction(scope) as connection:
        version = (await get_collection(connection, scope, "notes")).profile_version
        return await ask_switch(connection, scope, notes, app.complete_profile(profile), version)


async def back(app: App, scope: Scope) -> Switch:
    async with app.database.transaction(scope) as connection:
        return await roll_back(connection, scope, "notes")


async def ended(app: App, scope: Scope, asked: Switch) -> Switch:
    for _ in range(900):
        async with app.database.transaction(scope) as connection:
            found = await get_switch(connection, scope, asked.switch_id)
        if found.state not in ("waiting", "running"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def switched(app: App, scope: Scope, notes: UUID, profile: Profile = FINE) -> Switch:
    async with at_work(app):
        found = await ended(app, scope, await ask(app, scope, notes, profile))
    assert found.state == "done", found.reason
    return found


async def find(
    app: App, scope: Scope, notes: UUID, question: str = "where does zebra 7 sleep", **how: Any
) -> Retrieved:
    search = Search(question, (notes,), 30, **how)
    return await retrieve(app.database, scope, app.embedder, app.store, search)


def sizes(found: Retrieved) -> set[str]:
    """By which index a question was answered, as far as the sizes of its passages tell."""
    lengths = [len(each.text) for each in found.passages]
    return {"old" if length > LARGE else "new" if length < SMALL else f"{length} long" for length in lengths}


async def chunk_counts(app: App, scope: Scope) -> dict[UUID, int]:
    async with app.database.transaction(scope) as connection:
        rows = await connection.fetch("select collection_id, count(*) as n from chunks group by 1")
    return {row["collection_id"]: row["n"] for row in rows}


async def test_every_question_sees_one_index_or_the_other(app, tenant, notes) -> None:
    """Asked all the time, from before the switch to after it and back again: none fails, none is mixed."""
    seen: list[set[str]] = []
    over = asyncio.Event()

    async def ask_on() -> None:
        while not over.is_set():
            seen.append(sizes(await find(app, tenant, notes)))

    readers = [asyncio.create_task(ask_on()) for _ in range(3)]
    try:
        await switched(app, tenant, notes)
        async with at_work(app):
            await ended(app, tenant, await back(app, tenant))
    finally:
        over.set()
        await asyncio.gather(*readers)
    assert {frozenset(each) for each in seen} == {frozenset({"old"}), frozenset({"new"})}
    assert seen[-1] == {"old"}


async def test_what_happens_meanwhile_happens_to_both(app, tenant, notes) -> None:
    """Documents come, change and go after the new index was built; the switch finds all of it, as does the way back."""
    asked = await ask(app, tenant, notes)
    plan = Plan(notes, asked.index_id, asked.profile.chunking, app.embedder.profile.key)
    await app.builder.complete(tenant, plan)
    async with at_work(app):
        ids = await put(app, tenant, ["note-0", "new"], "A giraffe drinks.")
        await delete_document(app.database, app.store, tenant, (await put(app, tenant, ["note-1"]))[0])
        assert (await ended(app, tenant, asked)).state == "done"
        await indexed(app, tenant, 8)
        assert {each.document_id for each in (await find(app, tenant, notes, "giraffe")).passages[:2]} == set(
            ids
        )
        later = await put(app, tenant, ["later"], "An okapi hides.")
        await indexed(app, tenant, 9)
        await ended(app, tenant, await back(app, tenant))
    found = (await find(app, tenant, notes, "where does the okapi hide")).passages
    assert found[0].document_id == later[0]
    assert "note-1" not in {each.external_id for each in found}


async def test_documents_that_go_on_coming_are_in_the_new_index(app, tenant, notes) -> None:
    """Uploaded all the while, so that some are indexed as the switch is made; none is lost."""
    names = [f"stream-{n}" for n in range(30)]
    async with at_work(app):
        asked = await ask(app, tenant, notes)
        for name in names:
            await put(app, tenant, [name])
            await asyncio.sleep(0.02)
        assert (await ended(app, tenant, asked)).state == "done"
        await indexed(app, tenant, 8 + len(names))
    async with app.database.transaction(tenant) as connection:
        rows = await connection.fetch(
            "select distinct document_id from chunks where collection_id = $1", asked.index_id
        )
    assert len(rows) == 8 + len(names)


async def test_a_killed_worker_leaves_the_old_index_and_another_goes_on(
    app, tenant, notes, server_dir
) -> None:
    """Killed with -9 while it builds."""
    async with at_work(app):
        await put(app, tenant, [f"more-{n}" for n in range(60)])
        await indexed(app, tenant, 68)
    asked = await ask(app, tenant, notes)
    environ = os.environ | environ_of(server_dir, WORKER_BACKOFF_S="0.05", WORKER_LEASE_S="2")
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "worker", env=environ,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    while asked.index_id not in await chunk_counts(app, tenant):
        await asyncio.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    await victim.wait()
    async with app.database.transaction(tenant) as connection:
        state = (await get_switch(connection, tenant, asked.switch_id)).state
    assert sizes(await find(app, tenant, notes)) == ({"old"} if state != "done" else {"new"})
    async with at_work(app):
        assert (await ended(app, tenant, asked)).state == "done"
    assert sizes(await find(app, tenant, notes)) == {"new"}


async def test_lists_and_filters_hold_in_the_new_index(app, tenant, notes) -> None:
    """Charlie stands on the list of one document; nothing of the others is found by words or vectors."""
    await switched(app, tenant, notes)
    charlie = new_id()
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update collections set audience = '{}' where collection_id = $1", notes)
        await connection.execute(
            "update documents set audience = $1, metadata = '{\"kind\": \"open\"}' where external_id = 'note-3'",
            [charlie],
        )
    reader = Scope(tenant.tenant_id, "member:charlie", subjects=frozenset({charlie}))
    seen = await find(app, reader, notes)
    wanted = await find(app, tenant, notes, filter=parse_filter({"kind": "open"}))
    for found in (seen, wanted):
        assert {each.external_id for each in found.passages} == {"note-3"}
        assert sizes(found) == {"new"}


async def test_an_index_that_does_not_answer_cannot_be_asked(app, tenant, notes) -> None:
    """Its id is not a collection's: not for its own tenant either."""
    first = await switched(app, tenant, notes)
    with pytest.raises(Exception, match="no collection"):
        async with app.database.transaction(tenant) as connection:
            await get_collection(connection, tenant, str(first.index_id))


async def test_parents_show_children_of_their_own_index(app, tenant, notes) -> None:
    """Both indexes have parents of the same numbers."""
    await switched(app, tenant, notes, PARENTS)
    finer = Profile(chunking={**PARENTS.chunking, "size_tokens": 32})
    await switched(app, tenant, notes, finer)
    found = await find(app, tenant, notes)
    assert found.passages
    assert max(len(app.embedder.token_offsets(each.text)) for each in found.passages) <= 32


async def test_a_profile_that_changes_meanwhile_stays(app, tenant, notes) -> None:
    """The switch is given up, and says why."""
    asked = await ask(app, tenant, notes)
    other = app.complete_profile(Profile(retrieval={"dense_weight": 0.1}))
    async with app.database.transaction(tenant) as connection:
        await update_collection(connection, tenant, "notes", name=None, profile=other)
    async with at_work(app):
        found = await ended(app, tenant, asked)
    assert (found.state, "another profile" in (found.reason or "")) == ("failed", True)
    assert sizes(await find(app, tenant, notes)) == {"old"}


async def test_one_switch_at_a_time(app, tenant, notes) -> None:
    """The second is refused, and so is a way back where nothing has switched."""
    with pytest.raises(Conflict, match="has not switched"):
        await back(app, tenant)
    await ask(app, tenant, notes)
    with pytest.raises(Conflict, match="changing already"):
        await ask(app, tenant, notes)


async def test_of_two_switches_asked_for_at_once_one_waits(app, tenant, notes) -> None:
    """The second is refused as soon as the first is there, which it could not see when it was asked for."""
    waiting = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with app.database.transaction(tenant) as connection:
        await ask_switch(connection, tenant, notes, app.complete_profile(FINE), 1)
        second = asyncio.create_task(ask(app, tenant, notes))
        async with app.database.owner() as owner, asyncio.timeout(20):
            while not await owner.fetchval(waiting):
                await asyncio.sleep(0.02)
    with pytest.raises(Conflict, match="changing already"):
        await second


async def test_the_old_index_goes_when_its_time_is_up(app, tenant, notes) -> None:
    """The one that answers stays, whatever its date; then there is no way back."""
    await switched(app, tenant, notes)
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update indexes set expires_at = now() - interval '1 s'")
    assert await drop_expired_indexes(app.database, at_once=3) >= 1
    assert notes not in await chunk_counts(app, tenant)
    assert sizes(await find(app, tenant, notes)) == {"new"}
    with pytest.raises(Conflict, match="is gone"):
        await back(app, tenant)


async def test_an_index_that_is_wanted_again_while_it_is_removed_is_made_whole(app, tenant, notes) -> None:
    """No document is left in it with a part of its chunks, which would be taken for all of them."""
    plan = Plan(notes, new_id(), app.complete_profile(FINE).chunking, app.embedder.profile.key)
    await app.builder.complete(tenant, plan)
    whole = (await chunk_counts(app, tenant))[plan.index_id]
    async with app.database.transaction(tenant) as connection:
        removed = await connection.fetchval(REMOVED["drop_chunks"], plan.index_id, 3)
    assert 0 < removed < whole
    await app.builder.complete(tenant, plan)
    assert (await chunk_counts(app, tenant))[plan.index_id] == whole


async def test_deleting_the_collection_leaves_nothing(app, tenant, notes) -> None:
    """Both indexes go, with their statistics."""
    await switched(app, tenant, notes)
    await app.delete_collection(tenant, "notes")
    tables = (
        "chunks",
        "chunk_terms",
        "vectors",
        "indexes",
        "switches",
        "collection_statistics",
        "statistics_changes",
    )
    async with app.database.transaction(tenant) as connection:
        assert [await connection.fetchval(f"select count(*) from {each}") for each in tables] == [0] * len(
            tables
        )


def test_doctor_says_when_nobody_removes_indexes() -> None:
    """Their time is up for long."""
    assert judge_indexes({"beside": 1, "expired_s": 5.0}).outcome == "ok"
    assert judge_indexes({"beside": 1, "expired_s": 900.0}).outcome == "warn"
