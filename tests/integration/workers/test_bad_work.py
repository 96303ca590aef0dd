"""Work that raises, hangs or eats memory, workers that are stopped, paused or cut off: it ends once, with a cause."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import pytest
from worker_process import POISON, act

from at_work import running
from knowlog.bootstrap import App, open_app
from knowlog.bus import Event, Job, Wanted, append_events, cancel, complete, get_job, list_events
from knowlog.database import Database, DatabaseSettings, EmbeddedServer, Scope, open_database
from knowlog.kernel import new_id
from knowlog.kernel.errors import NotFound
from knowlog.settings import load_settings
from knowlog.tenants import create_tenant
from knowlog.workers import Worker

KIND = "retention.requested"
QUEUE = {KIND: "cleanup"}
Handler = Callable[[str, Sequence[Event]], Awaitable[None]]


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {
        "KNOWLOG_DATA_DIR": str(folder), "KNOWLOG_EMBEDDING_MODEL": "fake", "KNOWLOG_WORKER_BACKOFF_S": "0.05",
        "KNOWLOG_WORKER_MAX_ATTEMPTS": "2", "KNOWLOG_WORKER_LEASE_S": "1.5", **more,
    }  # fmt: skip


async def ask(database: Database, scope: Scope, days: int = 1) -> UUID:
    collection = new_id()
    async with database.transaction(scope) as connection:
        data = {"collection_id": collection, "older_than_days": days}
        (job_id,) = await append_events(connection, KIND, [(collection, data)])
    return job_id


async def until(database: Database, scope: Scope, job_id: UUID, *states: str, within_s: float = 60) -> Job:
    for _ in range(int(within_s / 0.05)):
        with suppress(Exception):  # PostgreSQL may be away
            async with database.transaction(scope) as connection:
                job = await get_job(connection, job_id)
            if job.state in states:
                return job
        await asyncio.sleep(0.05)
    raise AssertionError(f"never {states}: {job}")


async def effects(database: Database, scope: Scope) -> int:
    async with database.transaction(scope) as connection:
        return len(await list_events(connection, scope, Wanted(["collection.refreshed"]), "newest", 50))


@asynccontextmanager
async def working(app: App, handler: Handler) -> AsyncIterator[Worker]:
    """A worker in this process, with this handler."""
    worker = Worker(app, queues=QUEUE, tends=False)
    worker._handlers[KIND] = handler
    async with running(worker.run):
        yield worker


@asynccontextmanager
async def process(folder: Path, seconds: float, **more: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process that is ready."""
    started = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("worker_process.py")), str(seconds),
        env={**os.environ, **environment(folder, **more)}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await heard(started, b"ready")
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def heard(started: asyncio.subprocess.Process, word: bytes) -> None:
    assert started.stdout
    async with asyncio.timeout(60):
        while (line := await started.stdout.readline()) and line.strip() != word:
            continue
    assert line, f"the worker ended with {started.returncode}"


async def test_a_handler_that_raises_ends_dead_with_its_words(
    server_dir, database, tenant, other_tenant
) -> None:
    """After the last attempt; another tenant's work is done meanwhile."""

    async with open_app(load_settings(environment(server_dir))) as app:

        async def handler(worker: str, events: Sequence[Event]) -> None:
            if events[0].data["older_than_days"] == POISON:
                raise RuntimeError("The cat is on the keyboard.")
            async with database.transaction(Scope(events[0].tenant_id, "t")) as connection:
                await complete(connection, worker, events)

        bad, good = await ask(database, tenant, POISON), await ask(database, other_tenant)
        async with working(app, handler):
            dead = await until(database, tenant, bad, "failed")
            await until(database, other_tenant, good, "done")
    assert dead.attempts == 2
    assert "The cat is on the keyboard." in dead.reason


async def test_what_fails_takes_nothing_along_that_was_taken_with_it(server_dir, database, tenant) -> None:
    """Three jobs of a tenant come as one batch; the first was cancelled, or will never work. The others are done."""

    async def handler(worker: str, events: Sequence[Event]) -> None:
        for event in events:  # as the product's own do
            if event.data["older_than_days"] == POISON:
                raise NotFound("It is gone.")
            async with database.transaction(Scope(event.tenant_id, "t")) as connection:
                await complete(connection, worker, [event])

    async with open_app(load_settings(environment(server_dir))) as app:
        jobs = [await ask(database, tenant, days) for days in (POISON, 1, 2)]
        async with working(app, handler):
            ended = [await until(database, tenant, job, "done", "failed") for job in jobs]
    assert [(each.state, each.reason) for each in ended] == [
        ("failed", "It is gone."),
        ("done", None),
        ("done", None),
    ]


async def test_of_jobs_that_were_taken_together_those_that_are_cancelled_do_no_more(
    server_dir, database, tenant
) -> None:
    """The second of four is stopped while it runs, the third is not begun; the others are done."""
    begun: list[UUID] = []

    async def handler(worker: str, events: Sequence[Event]) -> None:
        for event in events:
            begun.append(event.event_id)
            if event.event_id == jobs[1]:
                await asyncio.Event().wait()
            async with database.transaction(Scope(event.tenant_id, "t")) as connection:
                await complete(connection, worker, [event])

    async with open_app(load_settings(environment(server_dir))) as app:
        jobs = [await ask(database, tenant) for _ in range(4)]
        async with working(app, handler):
            await until(database, tenant, jobs[0], "done")
            async with database.transaction(tenant) as connection:
                for job in jobs[1:3]:
                    await cancel(connection, job, "Not wanted.")
            await until(database, tenant, jobs[3], "done", within_s=15)
    assert begun == [jobs[0], jobs[1], jobs[3]]


async def test_the_cause_is_a_sentence_also_of_a_fault_without_words_and_names_no_limit_that_was_kept(
    server_dir, database, tenant
) -> None:
    """A disk or a connection that times out raises the same as a job that took too long."""
    faults = {POISON: MemoryError(), 1: TimeoutError(110, "Connection timed out")}

    async def handler(worker: str, events: Sequence[Event]) -> None:
        raise faults[events[0].data["older_than_days"]]

    async with open_app(load_settings(environment(server_dir))) as app, working(app, handler):
        wordless, slow = [
            await until(database, tenant, await ask(database, tenant, days), "failed") for days in faults
        ]
    assert wordless.reason.startswith("An unexpected fault: MemoryError(). Try again")
    assert "Connection timed out" in slow.reason
    assert "longer than" not in slow.reason


async def test_a_batch_that_is_done_is_let_end(server_dir, database, tenant) -> None:
    """Between its commit and its end there may be files to remove: a heartbeat in between takes it for no loss."""
    ended = []

    async def handler(worker: str, events: Sequence[Event]) -> None:
        async with database.transaction(tenant) as connection:
            await complete(connection, worker, events)
        await asyncio.sleep(1)  # the leases of 1.5 s are looked after more often
        ended.append(events[0].event_id)

    async with open_app(load_settings(environment(server_dir))) as app:
        job = await ask(database, tenant)
        async with working(app, handler), asyncio.timeout(30):
            await until(database, tenant, job, "done")
            while not ended:
                await asyncio.sleep(0.05)
    assert ended == [job]


async def test_a_handler_that_hangs_is_ended(server_dir, database, tenant) -> None:
    """After KNOWLOG_WORKER_JOB_TIMEOUT_S, which its cause names."""

    async def handler(worker: str, events: Sequence[Event]) -> None:
        await asyncio.sleep(3600)

    job_id = await ask(database, tenant)
    limits = environment(server_dir, KNOWLOG_WORKER_JOB_TIMEOUT_S="1.1", KNOWLOG_WORKER_MAX_ATTEMPTS="1")
    async with open_app(load_settings(limits)) as app, working(app, handler):
        dead = await until(database, tenant, job_id, "failed")
    assert dead.reason
    assert dead.reason.startswith("The job took longer than 1.1 s.")
    assert "KNOWLOG_WORKER_JOB_TIMEOUT_S" in dead.reason


@pytest.mark.timeout(400)
async def test_what_eats_memory_ends_its_worker_and_then_is_dead(
    server_dir, database, tenant, other_tenant
) -> None:
    """The worker ends itself with code 70; each attempt counts; others' work goes on; the cause says what it may be."""
    bad, good = await ask(database, tenant, POISON), await ask(database, other_tenant)
    limits = {"KNOWLOG_WORKER_MEMORY_MB": "600"}
    for _ in range(2):
        async with process(server_dir, 0, **limits) as eater:
            assert await asyncio.wait_for(eater.wait(), 60) == 70
    async with process(server_dir, 0, **limits) as survivor:
        dead = await until(database, tenant, bad, "failed")
        await until(database, other_tenant, good, "done")
        assert survivor.returncode is None
    assert dead.attempts == 3
    assert dead.reason
    assert "ended its worker again and again" in dead.reason
    assert "memory" in dead.reason
    assert await effects(database, other_tenant) == 1


@pytest.mark.timeout(400)
async def test_sigterm_finishes_what_runs_and_hands_back_what_cannot(server_dir, database, tenant) -> None:
    """Within the grace time a job is done; beyond it, it waits again at once, and the attempt does not count."""
    first = await ask(database, tenant)
    async with process(server_dir, 1.0, KNOWLOG_WORKER_GRACE_S="10") as polite:
        await heard(polite, b"begun")
        polite.terminate()
        assert await asyncio.wait_for(polite.wait(), 60) == 0
    assert (await until(database, tenant, first, "done")).attempts == 1
    second = await ask(database, tenant)
    async with process(server_dir, 60.0, KNOWLOG_WORKER_GRACE_S="0.2") as hasty:
        await heard(hasty, b"begun")
        hasty.terminate()
        assert await asyncio.wait_for(hasty.wait(), 60) == 0
    assert (await until(database, tenant, second, "waiting")).attempts == 0
    assert await effects(database, tenant) == 1


@pytest.mark.timeout(400)
async def test_a_paused_worker_has_no_effect_after_its_lease(server_dir, database, tenant) -> None:
    """SIGSTOP past the lease, another takes over and is done, SIGCONT: the first is fenced off, and lives."""
    job_id = await ask(database, tenant)
    async with process(server_dir, 1.0) as paused:
        await heard(paused, b"begun")
        paused.send_signal(signal.SIGSTOP)
        async with open_app(load_settings(environment(server_dir))) as app:

            async def handler(worker: str, events: Sequence[Event]) -> None:
                for event in events:
                    await act(app, worker, event, 0)

            async with working(app, handler):
                done = await until(database, tenant, job_id, "done")
        paused.send_signal(signal.SIGCONT)
        await asyncio.sleep(2.5)
        assert paused.returncode is None
        next_job = await ask(database, tenant)
        await until(database, tenant, next_job, "done")
    assert done.attempts == 2
    assert (await until(database, tenant, job_id, "done")).attempts == 2
    assert await effects(database, tenant) == 2, "one of each job"


@pytest.fixture
async def own_server(tmp_path: Path) -> AsyncIterator[tuple[EmbeddedServer, Path]]:
    """A PostgreSQL that may be killed."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    server = EmbeddedServer(tmp_path, DatabaseSettings())
    await asyncio.to_thread(server.start)
    yield server, tmp_path
    await asyncio.to_thread(server.stop)


@pytest.mark.timeout(400)
async def test_postgresql_restarted_in_mid_job(own_server) -> None:
    """The worker lives on, and the job has its effect once."""
    server, folder = own_server
    database = await open_database(DatabaseSettings(), folder)
    scope = Scope((await create_tenant(database, "alice")).tenant_id, "t")
    begun = asyncio.Event()
    async with open_app(load_settings(environment(folder, KNOWLOG_WORKER_MAX_ATTEMPTS="5"))) as app:

        async def handler(worker: str, events: Sequence[Event]) -> None:
            begun.set()
            for event in events:
                await act(app, worker, event, 1.0)

        job_id = await ask(database, scope)
        async with working(app, handler):
            await asyncio.wait_for(begun.wait(), 60)
            assert server.process_id
            os.kill(server.process_id, signal.SIGKILL)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(server.start)
            await until(database, scope, job_id, "done")
        assert await effects(database, scope) == 1
    await database.close()
