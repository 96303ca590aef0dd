"""A worker process for tests: the product's own, but for what its handlers do.

python worker_process.py SECONDS   each retention.requested takes so long, and then has an effect, a recorded event;
                                   one with older_than_days=666 eats memory instead
"""

import asyncio
import signal
import sys
from collections.abc import Sequence

from knowlog.bootstrap import App, open_app
from knowlog.bus import Event, append_events, complete
from knowlog.database import Scope
from knowlog.settings import load_settings
from knowlog.workers import Worker
from knowlog.workers.memory import end_when_too_large

POISON = 666


async def act(app: App, worker: str, event: Event, seconds: float) -> None:
    """Take some time, then have the effect: one recorded event."""
    print("begun", flush=True)
    if event.data["older_than_days"] == POISON:
        await eat()
    await asyncio.sleep(seconds)
    async with app.database.transaction(Scope(event.tenant_id, "test")) as connection:
        done = {
            "collection_id": event.subject,
            "document_count": 0,
            "updated_count": 0,
            "unreachable_count": 0,
        }
        await append_events(connection, "collection.refreshed", [(event.subject, done)])
        await complete(connection, worker, [event])


async def eat() -> None:
    """Hold ever more memory."""
    eaten = []
    while True:
        eaten.append(bytearray(b"x" * 20_000_000))
        await asyncio.sleep(0.01)


async def main(seconds: float) -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with open_app(load_settings()) as app:
        worker = Worker(app, queues={"retention.requested": "cleanup"}, tends=False)

        async def handle(name: str, events: Sequence[Event]) -> None:
            for event in events:
                await act(app, name, event, seconds)

        worker._handlers["retention.requested"] = handle
        watch = asyncio.create_task(end_when_too_large(app.settings.worker.memory_mb or 0))
        print("ready", flush=True)
        await worker.run(stop)
        watch.cancel()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
