"""Schedules fire once for each time that is due, whoever looks and however often; what they ask for has its effect."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from uuid import UUID

import pytest

from at_work import fake_app
from knowlog.bootstrap import App, open_app
from knowlog.bus import (
    Job,
    Schedule,
    Timetable,
    Wanted,
    WantedJobs,
    cancel,
    claim,
    create_schedule,
    delete_schedule,
    enable_schedule,
    fire_due,
    get_schedule,
    list_events,
    list_jobs,
    next_due_s,
    run_schedule,
)
from knowlog.database import Database, Scope
from knowlog.documents import Profile, Upload, create_collection, get_document, list_documents
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.settings import load_settings
from knowlog.workers import Worker
from knowlog.workers.loop import run_workers


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App on the shared database, which may fetch from this machine."""
    async with fake_app(server_dir, WORKER_BACKOFF_S="0.05") as opened:
        yield opened


@pytest.fixture
async def notes(app: App, database: Database, tenant: Scope) -> UUID:
    """Alice's collection; other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.schedules;"
            "delete from knowlog.events where state in ('waiting', 'running')"
        )
    async with database.transaction(tenant) as connection:
        made = await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))
    return made.collection_id


async def scheduled(database: Database, scope: Scope, notes: UUID, **more: object) -> Schedule:
    asked = {
        "name": "nightly",
        "type": "refresh.requested",
        "data": {},
        "timetable": Timetable(every_s=3600),
    } | more
    async with database.transaction(scope) as connection:
        return await create_schedule(connection, scope, collection_id=notes, **asked)  # type: ignore[arg-type]


async def make_due(
    database: Database, scope: Scope, schedule: Schedule, ago: timedelta = timedelta()
) -> None:
    async with database.transaction(scope) as connection:
        await connection.execute(
            "update schedules set next_at = clock_timestamp() - $2::interval where schedule_id = $1",
            schedule.schedule_id, ago,
        )  # fmt: skip


async def fired(database: Database, scope: Scope) -> list[Job]:
    async with database.transaction(scope) as connection:
        return await list_jobs(connection, WantedJobs(kind="refresh.requested"))


async def test_what_is_not_due_does_not_fire(database, tenant, notes) -> None:
    """And it is known when the next is."""
    await scheduled(database, tenant, notes)
    assert await fire_due(database) == 0
    assert 3500 < (await next_due_s(database) or 0) <= 3600


async def test_many_workers_fire_a_due_schedule_once(database, tenant, notes) -> None:
    """Ten look at the same moment; one event is written, and the schedule has moved on."""
    schedule = await scheduled(database, tenant, notes)
    await make_due(database, tenant, schedule)
    assert sum(await asyncio.gather(*(fire_due(database) for _ in range(10)))) == 1
    assert len(await fired(database, tenant)) == 1
    async with database.transaction(tenant) as connection:
        moved = await get_schedule(connection, "nightly", None)
    assert moved.last_at is not None
    assert moved.next_at > moved.last_at


async def test_the_same_time_never_fires_twice(database, tenant, notes) -> None:
    """Even if the row were set back, as by a restored backup: the event's id follows from schedule and time."""
    schedule = await scheduled(database, tenant, notes)
    await make_due(database, tenant, schedule, timedelta(minutes=1))
    async with database.transaction(tenant) as connection:
        due = (await get_schedule(connection, "nightly", None)).next_at
    assert await fire_due(database) == 1
    (event,) = await claim(database, "w", 30, 10, ["refresh.requested"])
    async with database.transaction(tenant) as connection:
        await connection.execute("update events set state = 'done' where event_id = $1", event.event_id)
        await connection.execute("update schedules set next_at = $1", due)
    assert await fire_due(database) == 0
    assert len(await fired(database, tenant)) == 1


async def test_a_schedule_that_cannot_fire_holds_up_no_other(
    app: App, database, tenant, other_tenant, notes
) -> None:
    """Alice's row is damaged and longest due; Charlie's fires in the same round, and in the next all is told."""
    async with database.transaction(other_tenant) as connection:
        theirs = await create_collection(connection, other_tenant, "theirs", app.complete_profile(Profile()))
    broken = await scheduled(database, tenant, notes)
    well = await scheduled(database, other_tenant, theirs.collection_id)
    await make_due(database, tenant, broken, timedelta(hours=1))
    await make_due(database, other_tenant, well)
    async with database.transaction(tenant) as connection:
        await connection.execute("update schedules set data = '5'")
    assert await fire_due(database) == 1
    assert len(await fired(database, other_tenant)) == 1
    with pytest.raises(TypeError):
        await fire_due(database)


async def test_a_crash_before_the_commit_fires_nothing_and_loses_nothing(database, tenant, notes) -> None:
    """The event and the move are one transaction."""
    schedule = await scheduled(database, tenant, notes)
    await make_due(database, tenant, schedule)
    async with database.owner() as owner:
        await owner.execute(
            "create function knowlog.crash() returns trigger language plpgsql as $$ begin raise 'crash'; end $$;"
            "create trigger crash before update on knowlog.schedules for each row execute function knowlog.crash()"
        )
    try:
        with pytest.raises(Exception, match="crash"):
            await fire_due(database)
    finally:
        async with database.owner() as owner:
            await owner.execute("drop function knowlog.crash() cascade")
    assert await fired(database, tenant) == []
    assert await fire_due(database) == 1


async def test_missed_times_fire_once(database, tenant, notes) -> None:
    """After a week in which nothing ran, there is one event, and the next is in the future."""
    schedule = await scheduled(database, tenant, notes, timetable=Timetable(cron="* * * * *"))
    await make_due(database, tenant, schedule, timedelta(days=7))
    assert await fire_due(database) == 1
    assert await fire_due(database) == 0
    assert 0 < (await next_due_s(database) or 0) <= 60


async def test_a_time_is_passed_over_while_the_last_is_not_done(database, tenant, notes) -> None:
    """Work that takes longer than the interval does not pile up."""
    schedule = await scheduled(database, tenant, notes)
    for _ in range(3):
        await make_due(database, tenant, schedule)
        await fire_due(database)
    assert len(await fired(database, tenant)) == 1


async def test_schedules_are_switched_off_run_by_hand_and_deleted(database, tenant, notes) -> None:
    """Off, nothing fires; by hand it does, but not while the last is not done."""
    schedule = await scheduled(database, tenant, notes)
    async with database.transaction(tenant) as connection:
        await enable_schedule(connection, "nightly", None, False)
    await make_due(database, tenant, schedule)
    assert await fire_due(database) == 0
    async with database.transaction(tenant) as connection:
        await run_schedule(connection, "nightly", None)
        with pytest.raises(Conflict):
            await run_schedule(connection, "nightly", None)
        again = await enable_schedule(connection, "nightly", None, True)
        assert again.next_at > schedule.created_at
        await delete_schedule(connection, "nightly", None)
        with pytest.raises(NotFound):
            await get_schedule(connection, "nightly", None)


async def test_what_cannot_be_scheduled_is_refused(database, tenant, other_tenant, notes) -> None:
    """Other events, twice the same name; and a stranger sees nothing."""
    await scheduled(database, tenant, notes)
    with pytest.raises(Conflict):
        await scheduled(database, tenant, notes)
    with pytest.raises(Invalid):
        await scheduled(database, tenant, notes, name="x", type="document.received")
    async with database.transaction(other_tenant) as connection:
        with pytest.raises(NotFound):
            await get_schedule(connection, "nightly", None)


class _Site(BaseHTTPRequestHandler):
    text = b"The zebra sleeps."
    status = 200

    def do_GET(self) -> None:
        self.send_response(type(self).status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(type(self).text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


async def test_a_refresh_takes_over_what_has_changed(server_dir, database, tenant, notes) -> None:
    """Fetched by a worker: other bytes make a version, the same change nothing, what is away stays; and an address
    within the network is not fetched unless the operator allows it.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    Thread(target=server.serve_forever, daemon=True).start()
    place = f"127.0.0.1:{server.server_port}"
    environ = {
        "KNOWLOG_DATA_DIR": str(server_dir),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        "KNOWLOG_API_FETCH_PRIVATE_HOSTS": place,
    }
    urls = [f"http://{place}/a.txt", "http://127.0.0.1:1/closed.txt", "http://10.0.0.1/inside.txt"]
    async with open_app(load_settings(environ)) as app:
        async with database.transaction(tenant) as connection:
            await app.receiver.receive(
                connection, tenant, "notes", [Upload(url, "a.txt", b"old", "text/plain") for url in urls]
            )
        schedule = await scheduled(database, tenant, notes, timetable=Timetable(every_s=1))
        stop = asyncio.Event()
        running = asyncio.create_task(run_workers(app, None, stop))
        refreshed = [await _next_refresh(database, tenant, number) for number in (1, 2)]
        await enabled(database, tenant, schedule, False)
        async with database.transaction(tenant) as connection:
            documents = await list_documents(connection, tenant, "notes")
        stop.set()
        await running
    server.shutdown()
    assert refreshed[0] == {
        "collection_id": str(notes),
        "document_count": 3,
        "updated_count": 1,
        "unreachable_count": 2,
    }
    assert refreshed[1]["updated_count"] == 0
    assert {each.external_id: each.latest for each in documents} == {urls[0]: 2, urls[1]: 1, urls[2]: 1}


async def enabled(database: Database, scope: Scope, schedule: Schedule, on: bool) -> None:
    async with database.transaction(scope) as connection:
        await enable_schedule(connection, schedule.name, None, on)


async def _next_refresh(database: Database, scope: Scope, number: int) -> dict[str, object]:
    for _ in range(300):
        async with database.transaction(scope) as connection:
            found = await list_events(connection, scope, Wanted(["collection.refreshed"]), "newest", 10)
        if len(found) >= number:
            return dict(found[-number].data)
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was refreshed")


async def test_retention_deletes_what_is_too_old(app, database, tenant, notes) -> None:
    """With a receipt each; what has newer content stays."""
    async with database.transaction(tenant) as connection:
        old, new = await app.receiver.receive(
            connection, tenant, "notes", [Upload("old", "o.txt", b"old"), Upload("new", "n.txt", b"new")]
        )
        await connection.execute(
            "update versions set created_at = now() - interval '91 days' where document_id = $1",
            old.document.document_id,
        )
    schedule = await scheduled(
        database, tenant, notes, type="retention.requested", data={"older_than_days": 90}
    )
    stop = asyncio.Event()
    running = asyncio.create_task(Worker(app).run(stop))
    await make_due(database, tenant, schedule)
    await enabled(database, tenant, schedule, True)
    async with database.transaction(tenant) as connection:
        await run_schedule(connection, "nightly", None)
    for _ in range(200):
        async with database.transaction(tenant) as connection:
            receipts = await connection.fetch("select receipt from deletion_receipts")
        if receipts:
            break
        await asyncio.sleep(0.05)
    stop.set()
    await running
    assert [row["receipt"]["external_id"] for row in receipts] == ["old"]
    assert receipts[0]["receipt"]["deleted_by"].startswith("retention:")
    async with database.transaction(tenant) as connection:
        assert await get_document(connection, tenant, new.document.document_id)


async def test_a_cancelled_retention_deletes_nothing_more(app, database, tenant, notes) -> None:
    """Its worker has it in hand and does not know yet; the first document may be gone by then, and no other."""
    async with database.transaction(tenant) as connection:
        uploads = [Upload(f"{n}", f"{n}.txt", b"old %d" % n) for n in range(3)]
        await app.receiver.receive(connection, tenant, "notes", uploads)
        await connection.execute("update versions set created_at = now() - interval '91 days'")
    asked = {"type": "retention.requested", "data": {"older_than_days": 90}}
    await scheduled(database, tenant, notes, **asked)
    async with database.transaction(tenant) as connection:
        job_id = await run_schedule(connection, "nightly", None)
    found = await claim(database, "w", 30, 1, ["retention.requested"])
    deleting = app.store.delete_documents

    async def cancelled_meanwhile(*told: object) -> None:
        await deleting(*told)
        cancelling.append(asyncio.create_task(_cancel(database, tenant, job_id)))

    cancelling: list[asyncio.Task[None]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app.store, "delete_documents", cancelled_meanwhile)
        await Worker(app)._handlers["retention.requested"]("w", found)
    await asyncio.gather(*cancelling)
    async with database.transaction(tenant) as connection:
        assert len(await list_documents(connection, tenant, "notes")) == 2


async def _cancel(database: Database, scope: Scope, job_id: UUID) -> None:
    async with database.transaction(scope) as connection:
        await cancel(connection, job_id, "by alice")
