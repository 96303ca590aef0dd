"""A job is cancelled or done, never both, and its document says the same; whichever of two is first."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest

from at_work import at_work, fake_app
from knowlog.bootstrap import App
from knowlog.bus import Job, LeaseLost, claim, complete, get_job, list_events, present, retry
from knowlog.bus import Wanted as WantedEvents
from knowlog.database import Database, Scope
from knowlog.documents import (
    Document,
    Profile,
    Upload,
    cancel_job,
    create_collection,
    get_document,
    patch_document,
    retry_document,
    retry_job,
)
from knowlog.kernel.errors import Conflict
from knowlog.workers import Worker

SLOW = b"<p>" + b"<b>x " * 1_200_000
"""So deeply nested that reading it takes long, in a child process."""


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App on the shared database, with the fake model."""
    async with fake_app(server_dir, WORKER_LEASE_S="1.5", WORKER_BACKOFF_S="0.05") as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _alone(database: Database, app: App, tenant: Scope) -> None:
    """Other tests' leftovers are out of the way; Alice has a collection."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )
    async with app.database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))


@pytest.fixture
async def working(app: App) -> AsyncIterator[Worker]:
    """A worker that takes jobs during the test."""
    async with at_work(app) as worker:
        yield worker


async def send(app: App, scope: Scope, content: bytes, name: str = "a.txt") -> tuple[UUID, UUID]:
    """Upload; returns document and job."""
    async with app.database.transaction(scope) as connection:
        (received,) = await app.receiver.receive(connection, scope, "notes", [Upload(name, name, content)])
    assert received.job_id
    return received.document.document_id, received.job_id


async def look(app: App, scope: Scope, document_id: UUID, job_id: UUID) -> tuple[Document, Job]:
    async with app.database.transaction(scope) as connection:
        return await get_document(connection, scope, document_id), await get_job(connection, job_id)


async def cancelled(app: App, scope: Scope, job_id: UUID) -> Job:
    async with app.database.transaction(scope) as connection:
        return await cancel_job(connection, job_id, "'alice' (owner)")


async def ended(app: App, scope: Scope, job_id: UUID) -> Job:
    for _ in range(600):
        async with app.database.transaction(scope) as connection:
            job = await get_job(connection, job_id)
        if job.state not in ("waiting", "running"):
            return job
        await asyncio.sleep(0.02)
    raise AssertionError(job)


def children(pid: int | None) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


async def test_a_waiting_job_is_cancelled_with_its_document(app, tenant) -> None:
    """Both say by whom; an event tells integrations; nothing is left to claim."""
    async with app.database.transaction(tenant) as connection:
        since = await present(connection)
    document_id, job_id = await send(app, tenant, b"zebra")
    job = await cancelled(app, tenant, job_id)
    document, _ = await look(app, tenant, document_id, job_id)
    assert (job.state, document.state) == ("cancelled", "failed")
    assert document.reason == job.reason
    assert job.reason.startswith("Cancelled by 'alice' (owner), 20")
    assert await claim(app.database, "w", 30, 10) == []
    async with app.database.transaction(tenant) as connection:
        wanted = WantedEvents(["document.failed"], since=since)
        (told,) = await list_events(connection, tenant, wanted, "newest", 10)
    assert told.data["reason"] == job.reason


async def test_a_job_in_mid_parse_really_stops(app, tenant, working) -> None:
    """The child process that reads the file is ended, and the worker goes on with other documents."""
    document_id, job_id = await send(app, tenant, SLOW, "slow.html")
    sandbox = app.parser._sandbox
    for _ in range(400):
        if sandbox.pid and children(sandbox.pid):
            break
        await asyncio.sleep(0.02)
    reader = children(sandbox.pid)
    assert reader, "the file is being read"
    await cancelled(app, tenant, job_id)
    for _ in range(200):
        if not Path(f"/proc/{reader[0]}").exists():
            break
        await asyncio.sleep(0.02)
    assert children(sandbox.pid) == []
    document, job = await look(app, tenant, document_id, job_id)
    assert (document.state, job.state, document.version) == ("failed", "cancelled", None)
    _, other_job = await send(app, tenant, b"The zebra sleeps.", "b.txt")
    assert (await ended(app, tenant, other_job)).state == "done"


async def test_cancel_and_completion_at_the_same_time(app, tenant, working) -> None:
    """Whoever is first wins whole: done and indexed, or cancelled and failed; no deadlock, nothing between."""
    outcomes = set()
    for number in range(30):
        document_id, job_id = await send(app, tenant, b"zebra %d" % number, f"{number}.txt")
        await asyncio.sleep(number * 0.002)
        with contextlib.suppress(Conflict):
            await cancelled(app, tenant, job_id)
        await ended(app, tenant, job_id)
        document, job = await look(app, tenant, document_id, job_id)
        outcomes.add((job.state, document.state, document.version))
    assert outcomes <= {("done", "indexed", 1), ("cancelled", "failed", None)}
    assert len(outcomes) == 2, "the moments were chosen so that both happen"


async def test_two_cancels_at_the_same_time(app, tenant) -> None:
    """One cancels, the other is told that it has ended."""
    _, job_id = await send(app, tenant, b"zebra")
    answers = await asyncio.gather(
        *(cancelled(app, tenant, job_id) for _ in range(4)), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in answers) == ["Conflict", "Conflict", "Conflict", "Job"]


async def test_cancelled_work_is_not_taken_over(app, tenant) -> None:
    """The lease of a dead worker runs out after the cancel: nobody takes it, and the dead one cannot commit."""
    document_id, job_id = await send(app, tenant, b"zebra")
    (event,) = await claim(app.database, "dead", 0.05, 10)
    await cancelled(app, tenant, job_id)
    await asyncio.sleep(0.1)
    assert await claim(app.database, "other", 30, 10) == []
    await app.indexer.index("dead", [event])
    document, job = await look(app, tenant, document_id, job_id)
    assert (document.state, document.version, job.state) == ("failed", None, "cancelled")


async def test_cancel_after_a_takeover_stops_the_second_worker_too(app, tenant) -> None:
    """Neither of the two that have had it may write."""
    document_id, job_id = await send(app, tenant, b"zebra")
    (first,) = await claim(app.database, "first", 0.05, 10)
    await asyncio.sleep(0.1)
    (second,) = await claim(app.database, "second", 30, 10)
    await cancelled(app, tenant, job_id)
    for worker, event in (("first", first), ("second", second)):
        await app.indexer.index(worker, [event])
        async with app.database.transaction(tenant) as connection:
            with pytest.raises(LeaseLost):
                await complete(connection, worker, [event])
    document, _ = await look(app, tenant, document_id, job_id)
    assert (document.state, document.version) == ("failed", None)


async def test_a_replaced_versions_job_is_cancelled_alone(app, tenant, working) -> None:
    """The document's newer version is indexed all the same."""
    document_id, old = await send(app, tenant, SLOW, "slow.html")
    await asyncio.sleep(0.2)
    _, new = await send(app, tenant, b"<p>The zebra sleeps.</p>", "slow.html")
    await cancelled(app, tenant, old)
    assert (await look(app, tenant, document_id, old))[0].state == "received"
    assert (await ended(app, tenant, new)).state == "done"
    document, job = await look(app, tenant, document_id, old)
    assert (document.state, document.version, job.state) == ("indexed", 2, "cancelled")


async def test_an_answering_version_goes_on_when_its_update_is_cancelled(app, tenant, working) -> None:
    """The new version has failed, the old one answers; of a new title only the indexing is cancelled."""
    document_id, first = await send(app, tenant, b"zebra")
    await ended(app, tenant, first)
    _, second = await send(app, tenant, b"<p>" + SLOW, "a.txt")
    await cancelled(app, tenant, second)
    document, _ = await look(app, tenant, document_id, second)
    assert (document.state, document.version, document.latest) == ("failed", 1, 2)
    async with app.database.transaction(tenant) as connection:
        await retry_job(connection, second)


async def test_cancelling_an_indexing_anew_leaves_the_document_indexed(app, tenant) -> None:
    """What answers already has not failed."""
    document_id, _ = await send(app, tenant, b"zebra")
    (event,) = await claim(app.database, "w", 30, 10)
    await app.indexer.index("w", [event])
    async with app.database.transaction(tenant) as connection:
        await patch_document(connection, tenant, document_id, title="New", metadata=None)
    (event,) = await claim(app.database, "w", 30, 10)
    await cancelled(app, tenant, event.event_id)
    document, job = await look(app, tenant, document_id, event.event_id)
    assert (document.state, document.reason, job.state) == ("indexed", None, "cancelled")


async def test_a_cancelled_job_is_taken_back(app, tenant, working) -> None:
    """Retry puts job and document back, and the document is indexed once."""
    document_id, job_id = await send(app, tenant, SLOW, "slow.html")
    await cancelled(app, tenant, job_id)
    async with app.database.transaction(tenant) as connection:
        with pytest.raises(Conflict):
            await retry(connection, (await send(app, tenant, b"zebra", "z.txt"))[1])
    async with app.database.transaction(tenant) as connection:
        job = await retry_job(connection, job_id)
    document, _ = await look(app, tenant, document_id, job_id)
    assert (job.job_id, job.state, document.reason) == (job_id, "waiting", None)
    await cancelled(app, tenant, job_id)


async def test_the_removal_of_bytes_is_not_cancelled(app, tenant) -> None:
    """A deletion was promised."""
    document_id, _ = await send(app, tenant, b"zebra")
    await app.delete_document(tenant, document_id)
    (event,) = await claim(app.database, "w", 30, 10)
    assert event.type == "document.deleted"
    with pytest.raises(Conflict, match="cannot be cancelled"):
        await cancelled(app, tenant, event.event_id)


async def test_of_two_who_retry_at_once_one_is_told_what_the_other_did(app, tenant, database) -> None:
    """Not that only failed documents can be retried, and that this one is failed."""
    document_id, job_id = await send(app, tenant, b"text")
    await cancelled(app, tenant, job_id)

    async def again() -> None:
        async with app.database.transaction(tenant) as connection:
            await retry_document(connection, tenant, document_id)

    waiting = "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with app.database.transaction(tenant) as connection:
        await retry_document(connection, tenant, document_id)
        second = asyncio.create_task(again())
        async with database.owner() as owner, asyncio.timeout(20):
            while not await owner.fetchval(waiting):
                await asyncio.sleep(0.02)
    with pytest.raises(Conflict, match="this one is received"):
        await second
