"""House-keeping is done once for all workers, and an idle worker sleeps until there is something to do."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from at_work import at_work, fake_app, running
from knowlog.bus import WorkerSettings, append_events, claim
from knowlog.cli.processes.stack import _workers
from knowlog.database import Database, Scope
from knowlog.kernel import new_id
from knowlog.settings import load_settings
from knowlog.workers import Worker, maintenance
from knowlog.workers.intake import PostgresIntake

KIND = "document.received"


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


async def turn(database: Database, every: timedelta) -> bool:
    async with database.system() as connection:
        return bool(await connection.fetchval("select take_turn('hourly', $1)", every))


async def test_of_many_workers_one_has_its_turn(database: Database) -> None:
    """Ten ask at the same moment; and the next is not before the interval has passed."""
    async with database.owner() as owner:
        await owner.execute("select setval('knowlog.turn_hourly', 0)")
    hour = timedelta(hours=1)
    assert sum(await asyncio.gather(*(turn(database, hour) for _ in range(10)))) == 1
    assert not await turn(database, hour)
    await asyncio.sleep(1.1)
    assert await turn(database, timedelta(seconds=1))


async def test_a_clock_that_was_set_back_does_not_stop_the_turns(database: Database) -> None:
    """A last time that lies in the future is none."""
    async with database.owner() as owner:
        await owner.execute(
            "select setval('knowlog.turn_hourly', extract(epoch from now())::bigint + 100000)"
        )
    assert await turn(database, timedelta(hours=1))


async def test_no_step_of_house_keeping_fails(
    server_dir: Path, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Every step has its first turn within seconds; one that failed would be logged, and tried again for ever."""
    async with database.owner() as owner:
        turns = await owner.fetch(
            "select setval(c.oid, 0) from pg_class c where c.relkind = 'S' and c.relname like 'turn%'"
        )
    async with fake_app(server_dir) as app, at_work(app):
        await asyncio.sleep(8)
    assert len(turns) == 4
    assert [each.getMessage() for each in caplog.records if "maintenance" in each.getMessage()] == []


async def test_statistics_are_folded_seldom_while_more_comes_and_soon_after_the_last(
    server_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something happens ten times a second for six seconds: at the begin, five seconds later, and after the end."""
    folds: list[float] = []

    async def fold(_: Database) -> int:
        folds.append(monotonic())
        return 0

    monkeypatch.setattr(maintenance, "fold_statistics", fold)
    async with fake_app(server_dir) as app:
        upkeep = maintenance.Upkeep(app)
        running = asyncio.create_task(upkeep.run())
        ends = monotonic() + 6
        while monotonic() < ends:
            upkeep.stir()
            await asyncio.sleep(0.1)
        meanwhile = len(folds)
        async with asyncio.timeout(30):
            while folds[-1] < ends:
                await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert meanwhile in (1, 2)
    assert len(folds) == meanwhile + 1


async def test_work_that_others_do_wakes_no_other_step(
    server_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Schedules are looked at when something may have changed them, and not for every document."""
    looks = 0

    async def look(_: Database) -> int:
        nonlocal looks
        looks += 1
        return 0

    monkeypatch.setattr(maintenance, "fire_due", look)
    async with fake_app(server_dir) as app:
        upkeep = maintenance.Upkeep(app)
        upkeeping = asyncio.create_task(upkeep.run())
        await until(lambda: looks > 0)
        await asyncio.sleep(0.3)
        before = looks
        upkeep.stir()
        await asyncio.sleep(0.3)
        unmoved = looks
        upkeep.wake()
        await until(lambda: looks > unmoved)
        upkeeping.cancel()
        await asyncio.gather(upkeeping, return_exceptions=True)
    assert unmoved == before


async def test_a_worker_looks_after_things_when_anything_may_have_changed(
    server_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it hears of a known type is work; of anything else it is told with no type, as of a new schedule."""
    heard: list[str] = []
    monkeypatch.setattr(maintenance.Upkeep, "stir", lambda _: heard.append("stir"))
    monkeypatch.setattr(maintenance.Upkeep, "wake", lambda _: heard.append("wake"))
    async with fake_app(server_dir) as app, at_work(app) as worker:
        await until(lambda: worker._listens)
        for payload, told in ((KIND, "stir"), ("", "wake"), ("collection.unheard_of", "wake")):
            heard.clear()
            async with app.database.system() as connection:
                await connection.execute("select pg_notify('knowlog_work', $1)", payload)
            await until(lambda: bool(heard))
            assert set(heard) == {told}


async def took_s(intake: PostgresIntake) -> float:
    began = monotonic()
    assert await intake.take(10, 2.5, held=(), skip=()) == []
    return monotonic() - began


async def test_an_idle_worker_looks_seldom_and_a_waiting_one_often(database: Database, tenant: Scope) -> None:
    """While another holds work, it looks each second: the other may die. With nothing unfinished, it sleeps longer."""
    intake = PostgresIntake(database, "w", [KIND], WorkerSettings())
    assert await took_s(intake) > 2.4
    async with database.transaction(tenant) as connection:
        await append_events(connection, KIND, [(new_id(), {"version": 1, "size_bytes": 1})])
    await claim(database, "other", 30, 1, [KIND])
    assert await took_s(intake) < 1.5


async def test_a_worker_is_woken_by_what_is_its_own_and_not_by_the_rest(
    server_dir: Path, database: Database, tenant: Scope
) -> None:
    """Nor by what nobody works on. What may be anything, such as a job that is tried again, wakes every worker."""
    woken_by: dict[str, int] = {}
    async with fake_app(server_dir) as app:
        worker = Worker(app, queues={"document.deleted": "cleanup"}, tends=False)
        async with running(worker.run):
            await until(lambda: worker._listens and worker._intake is not None)
            wake, wakes = worker._wake, 0

            def look() -> None:
                nonlocal wakes
                wakes += 1

            def hear(heard: str = "") -> None:
                nonlocal wakes
                wakes = 0
                wake(heard)
                woken_by[heard] = wakes

            worker._wake, worker._intake.wake = hear, look
            async with database.transaction(tenant) as connection:
                await append_events(connection, KIND, [(new_id(), {"version": 1, "size_bytes": 1})])
                await append_events(connection, "document.indexed", [(new_id(), {"version": 1, "chunks": 1})])
                await append_events(connection, "document.deleted", [(new_id(), {"blobs": []})])
                await connection.execute("select pg_notify('knowlog_work', '')")
            await until(lambda: "" in woken_by)
            assert woken_by == {KIND: 0, "document.indexed": 0, "document.deleted": 1, "": 1}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def test_work_of_the_dead_is_taken_over_within_ten_seconds() -> None:
    """By default: the lease, and a look each second."""
    assert WorkerSettings().lease_s + 1 < 10


def test_knowlog_up_runs_as_many_workers_as_wanted(tmp_path: Path) -> None:
    """The first has the port of the metrics; settings are passed through."""
    environ = {
        "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_WORKER_PROCESSES": "3", "KNOWLOG_WORKER_METRICS_PORT": "9101",
        "KNOWLOG_WORKER_QUEUES": "documents",
    }  # fmt: skip
    programs = {each.name: each.environment for each in _workers(load_settings(environ), environ)}
    assert set(programs) == {"worker", "worker-2", "worker-3"}
    assert all(each["KNOWLOG_WORKER_QUEUES"] == "documents" for each in programs.values())
    assert [name for name in programs if "KNOWLOG_WORKER_METRICS_PORT" in programs[name]] == ["worker"]
