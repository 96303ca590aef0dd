"""The recipe docs/recipes/switch-the-queue.md: on a live knowlog, by way of every kind of queue, nothing is lost."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, ExitStack

import pytest
from queue_scene import Scene, open_scene, until

from knowlog.cli.processes import Program, Supervisor
from servers import running_server

KINDS = ["redis", "rabbitmq", "kafka"]
WAY = ["postgres", *KINDS, "postgres"]
ALONE = 15
TOGETHER = 3


def worker_of(scene: Scene, number: int, kind: str, url: str) -> Supervisor:
    """A worker whose queue is of this kind, as a process of its own."""
    own = next(each for each in scene.stack.supervisor.programs if each.name == "worker")
    environment = {name: each for name, each in own.environment.items() if name != "KNOWLOG_WORKER_QUEUES"}
    environment |= {"KNOWLOG_BUS_BROKER": kind} | ({"KNOWLOG_BUS_URL": url} if url else {})
    log = own.log.with_name(f"worker-{number}-{kind}.log")
    return Supervisor([Program("worker", "worker", log, environment)])


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_the_queue_is_switched_while_documents_come_in() -> None:
    """PostgreSQL, Redis, RabbitMQ, Kafka, PostgreSQL: the new kind beside the old, then the old one is stopped."""
    with ExitStack() as servers:
        urls = {kind: servers.enter_context(running_server(kind)).url for kind in KINDS}
        # The worker that belongs to the stack is left with what is no document.
        async with open_scene({"KNOWLOG_WORKER_QUEUES": "cleanup"}) as scene, AsyncExitStack() as workers:
            async with scene.uploading():
                await switch_all_the_way(scene, workers, urls)
            await scene.require_each_once()


async def switch_all_the_way(scene: Scene, workers: AsyncExitStack, urls: Mapping[str, str]) -> None:
    old: Supervisor | None = None
    for number, kind in enumerate(WAY):
        new = worker_of(scene, number, kind, urls.get(kind, ""))
        new.start()
        workers.push_async_callback(new.stop)
        await at_work(scene, new, TOGETHER)
        if old is not None:
            await asyncio.gather(at_work(scene, old, TOGETHER), at_work(scene, new, TOGETHER))
            await old.stop()
        await at_work(scene, new, ALONE)
        old = new


async def at_work(scene: Scene, worker: Supervisor, more: int) -> None:
    """Wait until this worker has handled so many more uploads."""
    process_id = worker.process_ids.get("worker")
    while process_id is None:
        await asyncio.sleep(0.05)
        process_id = worker.process_ids.get("worker")
    wanted = await scene.handled(process_id) + more

    async def has_handled() -> bool:
        return await scene.handled(process_id) >= wanted

    await until(has_handled, 90)
