"""Whatever is killed, and whenever: no message is lost, and none has its effect twice."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from producers import producer
from sources_scene import Scene, environ_of, until

from at_work import all_at_work
from knowlog.bootstrap import App
from knowlog.database import Database
from servers import Running

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
MESSAGES = 300
KILLS = 4
SEED = int(os.environ.get("KNOWLOG_TEST_SEED", "7"))


async def start_worker(server: Running, folder: Path) -> asyncio.subprocess.Process:
    environ = {
        **os.environ,
        **environ_of(server, folder),
        "KNOWLOG_SOURCES_BATCH": "10",
        "KNOWLOG_BUS_TAKEOVER_S": "6",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "worker", env=environ, stderr=asyncio.subprocess.DEVNULL
    )


async def beyond(scene: Scene, count: int) -> None:
    async def reached() -> bool:
        return (await scene.now()).taken >= count

    await until(reached)


async def test_a_killed_worker_loses_nothing_and_repeats_nothing(
    scene: Scene, server: Running, server_dir: Path
) -> None:
    """kill -9 in mid-batch, over and over, while messages come; a poison message among them is one dead letter."""
    dice = random.Random(SEED)
    await scene.send(b"poison")
    for number in range(MESSAGES):
        await scene.submit(str(number), f"doc{number}", f"Text {number}.")
    for _ in range(KILLS):
        before = (await scene.now()).taken
        worker = await start_worker(server, server_dir)
        await beyond(scene, min(MESSAGES, before + 10))
        await asyncio.sleep(dice.uniform(0, 0.1))
        worker.send_signal(signal.SIGKILL)
        await worker.wait()
    worker = await start_worker(server, server_dir)
    try:
        await beyond(scene, MESSAGES)
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    assert await scene.texts() == {f"doc{n}": f"Text {n}." for n in range(MESSAGES)}
    assert set((await scene.versions()).values()) == {1}
    state = await scene.now()
    assert (state.taken, state.dead) == (MESSAGES, 1)
    assert len(await scene.dead()) == 1


async def test_while_the_database_is_away_messages_stay_with_the_broker(
    app: App, database: Database, scene: Scene
) -> None:
    """The transaction is cut off twice; nothing is acknowledged, and then all is taken: good ones and poison."""
    async with all_at_work(app):
        await scene.submit("0", "first", "It works.")
        await beyond(scene, 1)
        async with database.owner() as owner:
            await owner.execute(
                "begin; lock table knowlog.inbox, knowlog.dead_letters in access exclusive mode"
            )
            await scene.submit("1", "a", "One.")
            await scene.send(b"poison")
            await scene.submit("2", "b", "Two.")
            for _ in range(2):
                await cut_off(owner)
            await owner.execute("commit")
        await beyond(scene, 3)

        async def buried() -> bool:
            return len(await scene.dead()) == 1

        await until(buried)
    assert await scene.texts() == {"first": "It works.", "a": "One.", "b": "Two."}
    assert (await scene.now()).dead == 1


async def cut_off(owner: object) -> None:
    """Wait for a transaction that waits for the table, and break its connection."""

    async def found() -> int:
        return int(
            await owner.fetchval(  # type: ignore[attr-defined]
                "select count(pg_terminate_backend(l.pid)) from pg_locks l join pg_class c on c.oid = l.relation"
                " where not l.granted and c.relname in ('inbox', 'dead_letters')"
            )
        )

    await until(found)


async def test_a_broker_that_is_down_is_told_and_waited_for(app: App, scene: Scene, server: Running) -> None:
    """At the start and in the middle: the source says so, naming the right setting; when it is back, reading goes on."""

    async def troubled() -> bool:
        return f"KNOWLOG_SOURCES_{server.kind.upper()}_URL" in ((await scene.now()).trouble or "")

    async def well() -> bool:
        return (await scene.now()).trouble is None

    await asyncio.to_thread(server.killable.kill)
    try:
        async with all_at_work(app):
            await until(troubled)
            await back(server, scene.topic)
            await until(well)
            await asyncio.to_thread(server.killable.kill)
            await until(troubled)
            await back(server, scene.topic)
            await until(well)
    finally:
        with contextlib.suppress(Exception):
            await asyncio.to_thread(server.killable.start)


async def back(server: Running, topic: str) -> None:
    """Start the broker, and make the topic if the broker has forgotten it: it was killed just after it was told."""
    await asyncio.to_thread(server.killable.start)
    async with producer(server.kind, server.url) as client:
        with contextlib.suppress(Exception):
            await client.make(topic)
