"""A worker that is killed in the middle of a tuning leaves nothing half-written, and another goes on where it was."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from at_work import at_work, environ_of, fake_app
from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from knowlog.documents import Profile, Upload, create_collection, get_collection
from knowlog.evaluation import Excerpt, Question, create_dataset
from knowlog.evaluation.tuning import Sought, Tuning, create_tuning, get_tuning

NAMES = [f"note-{n}" for n in range(24)]
WANTED = Sought(("recursive",), tuple(range(16, 40, 2)), (0.0,), (0.2, 0.8), (1, 2))
WINDOW = 256


def sentence(name: str, day: int) -> str:
    """What a document says of a day."""
    return f"In {name} the zebra eats {day} apples on day {day}."


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App with the fake model."""
    async with fake_app(server_dir, WORKER_BACKOFF_S="0.05") as opened:
        yield opened


@pytest.fixture
async def tuning(app: App, database: Database, tenant: Scope) -> Tuning:
    """A tuning of alice's notes that nobody has begun."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )
    async with app.database.transaction(tenant) as connection:
        made = await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))
        texts = {name: " ".join(sentence(name, day) for day in range(12)) for name in NAMES}
        uploads = [Upload(name, f"{name}.txt", text.encode()) for name, text in texts.items()]
        await app.receiver.receive(connection, tenant, "notes", uploads)
    async with at_work(app):
        while await counted(app, tenant, "documents where state = 'indexed'") < len(NAMES):
            await asyncio.sleep(0.05)
    questions = [
        Question(f"{name}-{day}", f"What does the zebra of {name} eat on day {day}?",
                 excerpts=(Excerpt(name, sentence(name, day)),))
        for name in NAMES for day in (3, 8)
    ]  # fmt: skip
    async with app.database.transaction(tenant) as connection:
        await create_dataset(connection, tenant, "notes", "zebras", "real", "quoted", questions)
        return await create_tuning(connection, tenant, made.name, "zebras", WANTED, 1, WINDOW)


async def counted(app: App, scope: Scope, what: str) -> int:
    """How many rows there are."""
    async with app.database.transaction(scope) as connection:
        return int(await connection.fetchval(f"select count(*) from {what}"))


async def now_of(app: App, scope: Scope, tuning: Tuning) -> Tuning:
    async with app.database.transaction(scope) as connection:
        return await get_tuning(connection, scope, tuning.tuning_id)


async def built(app: App, scope: Scope, tuning: Tuning) -> set[int]:
    """The chunks in indexes of trials."""
    async with app.database.transaction(scope) as connection:
        rows = await connection.fetch(
            "select chunk_id from chunks where collection_id <> $1", tuning.collection_id
        )
    return {row["chunk_id"] for row in rows}


@pytest.mark.timeout(120)
async def test_a_killed_worker_leaves_no_half_report_and_another_goes_on(
    app: App, tenant: Scope, tuning: Tuning, server_dir: Path
) -> None:
    """Killed with -9 between its trials: no report, the profile as it was; then what it had built is gone on with."""
    environ = os.environ | environ_of(server_dir, WORKER_BACKOFF_S="0.05", WORKER_LEASE_S="2")
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "worker", env=environ,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    while (await now_of(app, tenant, tuning)).done < 2:
        await asyncio.sleep(0.01)
    victim.send_signal(signal.SIGKILL)
    await victim.wait()
    cut, chunks = await now_of(app, tenant, tuning), await built(app, tenant, tuning)
    assert (cut.state, cut.report, cut.finished_at) == ("running", None, None)
    assert chunks
    async with at_work(app):
        while (ended := await now_of(app, tenant, tuning)).state in ("waiting", "running"):
            await asyncio.sleep(0.05)
    assert (ended.state, ended.reason, ended.started_at) == ("done", None, cut.started_at)
    report = ended.report or {}
    assert sorted({each["number"] for each in report["trials"] if each["number"] <= 12}) == list(range(13))
    assert chunks <= await built(app, tenant, tuning)
    async with app.database.transaction(tenant) as connection:
        assert (await get_collection(connection, tenant, "notes")).profile_version == 1
    standing = "indexes where index_id <> collection_id and (expires_at is null or expires_at > now())"
    assert await counted(app, tenant, standing) == 1, "that of the best trial"
