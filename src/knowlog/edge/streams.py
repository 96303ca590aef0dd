"""Server-sent events: their form, how many a tenant may hold open, and what wakes those that watch a
document.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import orjson

from knowlog.database import Database
from knowlog.kernel.errors import LimitReached
from knowlog.kernel.tasks import asked_to_end
from knowlog.kernel.wording import counted

STREAM_TYPE = "text/event-stream"
STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
HEARTBEAT = b": still here\n\n"
_RECONNECT_S = 2.0
_log = logging.getLogger("knowlog.edge")


def event(name: str, data: object, number: int | str | None = None) -> bytes:
    """Write one event; `data` becomes one line of JSON."""
    head = f"event: {name}\n" if number is None else f"id: {number}\nevent: {name}\n"
    return head.encode() + b"data: " + orjson.dumps(data, default=str) + b"\n\n"


class Slots:
    """Counts the open streams of each tenant in this process."""

    def __init__(self, most: int, most_together: int) -> None:
        self._most = most
        self._most_together = most_together
        self._open: Counter[UUID] = Counter()

    async def hold(self, tenant_id: UUID, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Pass events on, holding one slot meanwhile."""
        self._open[tenant_id] += 1
        try:
            async for piece in events:
                yield piece
        finally:
            self._open[tenant_id] -= 1
            if not self._open[tenant_id]:
                del self._open[tenant_id]

    def check(self, tenant_id: UUID) -> None:
        """Raise LimitReached when the tenant, or the process, has no slot left."""
        if self._open[tenant_id] >= self._most:
            raise LimitReached(
                f"Your tenant has {counted(self._most, 'event stream')} open. Close one first.",
                retry_after_s=5,
            )
        if self._open.total() >= self._most_together:
            raise LimitReached("The server has no event stream left. Try again soon.", retry_after_s=5)


class Watcher:
    """What a watcher is told: that something `changed`, and how many chunks have their vector, of how many."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.embedded: tuple[int, int] | None = None


class Progress:
    """Wakes whoever watches a document when a worker reports on it: one connection for all watchers of the
    process.

    A report may be missed while that connection is down, so watchers look by themselves from time to time as
    well.
    """

    def __init__(self, database: Database, reconnect_s: float = _RECONNECT_S) -> None:
        self._database = database
        self._reconnect_s = reconnect_s
        self._watchers: dict[str, set[Watcher]] = {}
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def watch(self, tenant_id: UUID, *subjects: UUID) -> AsyncIterator[Watcher]:
        """Yield a watcher, which is told whenever something about a subject changes. It holds no database session."""
        if not self._tasks or any(each.done() for each in self._tasks):
            await self.close()
            self._tasks = [asyncio.create_task(self._listen(name)) for name in ("", *self._database.silos)]
        watcher = Watcher()
        keys = {f"{tenant_id}:{subject}" for subject in subjects}
        for key in keys:
            self._watchers.setdefault(key, set()).add(watcher)
        try:
            yield watcher
        finally:
            for key in keys:
                self._watchers[key].discard(watcher)
                if not self._watchers[key]:
                    del self._watchers[key]

    async def close(self) -> None:
        """Stop listening."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, silo: str) -> None:
        """Listen in one database, the home or a silo."""
        while not asked_to_end():
            broken = asyncio.Event()

            def heard(payload: str, broken: asyncio.Event = broken) -> None:
                self._heard(payload)
                if payload == "broken":
                    broken.set()

            try:
                place = await self._database.silo(silo)
                async with place.listen("knowlog_progress", heard):
                    await broken.wait()
            except Exception as error:  # whatever it is, the next attempt may succeed
                _log.warning("cannot listen for progress: %s", error)
            await asyncio.sleep(self._reconnect_s)

    def _heard(self, payload: str) -> None:
        subject, _, counts = payload.partition(" ")
        for watcher in self._watchers.get(subject, ()):
            if counts:
                done, _, total = counts.partition("/")
                watcher.embedded = int(done), int(total)
            watcher.changed.set()
