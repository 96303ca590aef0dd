"""The loop of a worker: claim, hand to the handler, keep the lease, stop politely."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from knowlog.bootstrap import App, open_app
from knowlog.bus import Event, LeaseLost, claim, complete, extend, fail, release
from knowlog.database import Scope
from knowlog.kernel import new_id
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings
from knowlog.workers import metrics
from knowlog.workers.maintenance import maintain

_LOG = logging.getLogger("knowlog.worker")
_SMALL_AT_ONCE = 2
_LARGE_AT_ONCE = 1
_LARGE_BYTES = 64 * 1024
_HELD_BATCHES = (
    3  # claimed in advance: enough to keep all turns busy, few enough to leave work to other workers
)
_IDLE_POLL_S = 1.0

Handler = Callable[[str, Sequence[Event]], Awaitable[None]]


class Worker:
    """One process's share of the work. Its name is new at each start, so that no lease can be mistaken for its own."""

    def __init__(self, app: App) -> None:
        self.name = f"{socket.gethostname()}-{os.getpid()}-{new_id().hex[-8:]}"
        self._app = app
        self._settings = app.settings.worker
        self._held: dict[UUID, Event] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._handlers: dict[str, Handler] = {
            "document.received": app.indexer.index,
            "document.replaced": self._drop_originals,
            "document.deleted": self._drop_originals,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish within the grace time or hand the rest back."""
        helpers = [
            asyncio.create_task(self._keep_leases()),
            asyncio.create_task(self._listen()),
            asyncio.create_task(maintain(self._app)),
            asyncio.create_task(self._wake_on(stop)),
        ]
        _LOG.info("worker %s takes jobs", self.name)
        try:
            while not stop.is_set():
                await self._take(stop)
            await self._finish()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _take(self, stop: asyncio.Event) -> None:
        """Claim a batch and start on it, or wait until there is something to do."""
        self._wake.clear()
        try:
            events = await claim(
                self._app.database, self.name, self._settings.lease_s, self._settings.batch, self._held
            )
        except Exception as error:
            _LOG.warning("cannot claim jobs: %s", error)
            await asyncio.sleep(_IDLE_POLL_S)
            return
        if not events:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _IDLE_POLL_S)
            return
        self._held.update({event.event_id: event for event in events})
        for batch in split(events, self._settings.batch_kb * 1024):
            task = asyncio.create_task(self._handle(batch, stop))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        while len(self._held) >= _HELD_BATCHES * self._settings.batch and not stop.is_set():
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)

    async def _handle(self, batch: Sequence[Event], stop: asyncio.Event) -> None:
        """Handle a batch when it is its turn. Large documents take turns of their own, so that small ones pass them."""
        async with self._large if is_large(batch) else self._small:
            if stop.is_set():
                return  # not begun: it stays in _held and is handed back
            try:
                await self._handlers[batch[0].type](self.name, batch)
            except Exception as error:
                _LOG.warning("a batch of %s failed: %r", batch[0].type, error)
                metrics.FAULTS.labels(batch[0].type).inc()
                await self._fail(batch, error)
            for event in batch:  # not after a cancellation: what was begun is then handed back
                self._held.pop(event.event_id, None)
            metrics.JOBS.labels(batch[0].type).inc(len(batch))
            metrics.HELD.set(len(self._held))

    async def _fail(self, batch: Sequence[Event], error: Exception) -> None:
        """What a handler did not settle itself is tried again; if even that cannot be written, the lease runs out."""
        for event in batch:
            with contextlib.suppress(Exception):  # whatever it is, the lease must be free to run out
                scope = Scope(event.tenant_id, f"worker:{self.name}")
                if event.type == "document.received":
                    await self._app.indexer.give_up(self.name, scope, event, error)
                    continue
                async with self._app.database.transaction(scope) as connection:
                    last = event.attempts >= self._settings.max_attempts
                    wait_s = self._settings.backoff_s * 2**event.attempts
                    await fail(connection, self.name, event, str(error)[:500], None if last else wait_s)

    async def _drop_originals(self, worker: str, events: Sequence[Event]) -> None:
        """Remove the original bytes of what was deleted or replaced."""
        for event in events:
            await self._app.blobs.delete(event.data["blobs"])
            async with self._app.database.transaction(
                Scope(event.tenant_id, f"worker:{worker}")
            ) as connection:
                with contextlib.suppress(LeaseLost):
                    await complete(connection, worker, [event])

    async def _keep_leases(self) -> None:
        """Prolong the leases of everything held, well before they end."""
        while True:
            await asyncio.sleep(self._settings.lease_s / 4)
            if self._held:
                with contextlib.suppress(Exception):  # the next beat comes before the lease ends
                    await extend(self._app.database, self.name, self._settings.lease_s, list(self._held))

    async def _listen(self) -> None:
        """Be woken when work is written. Where listening is impossible, polling once a second goes on."""
        while True:
            broken = asyncio.Event()

            def heard(payload: str, broken: asyncio.Event = broken) -> None:
                self._wake.set()
                if payload == "broken":
                    broken.set()

            with contextlib.suppress(Exception):
                async with self._app.database.listen("knowlog_work", heard):
                    await broken.wait()
            await asyncio.sleep(_IDLE_POLL_S)

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _finish(self) -> None:
        """Give running batches the grace time, then hand back what is left, so that another worker has it at once."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._settings.grace_s)
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        by_tenant: dict[UUID, list[Event]] = defaultdict(list)
        for event in self._held.values():
            by_tenant[event.tenant_id].append(event)
        for tenant_id, events in by_tenant.items():
            with contextlib.suppress(KnowlogError):
                async with self._app.database.transaction(
                    Scope(tenant_id, f"worker:{self.name}")
                ) as connection:
                    for event in events:
                        await release(connection, self.name, event)


def size_of(event: Event) -> int:
    """The size in bytes of the document that an event is about, as far as it says."""
    return int(event.data.get("size_bytes", 0))


def is_large(batch: Sequence[Event]) -> bool:
    """Whether a batch is one document that takes its time."""
    return len(batch) == 1 and size_of(batch[0]) > _LARGE_BYTES


def split(events: Sequence[Event], size_bytes: int) -> list[list[Event]]:
    """Group events into batches of one type whose documents together stay below `size_bytes`; a large one goes alone."""
    batches: list[list[Event]] = []
    room, previous = 0, ""
    for event in sorted(events, key=lambda event: event.type):
        size = size_of(event)
        if not batches or event.type != previous or size > room or size > _LARGE_BYTES:
            batches.append([])
            room, previous = size_bytes, event.type
        batches[-1].append(event)
        room -= size if size <= _LARGE_BYTES else room
    return batches


async def run_worker(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics.serve_metrics(settings.worker.metrics_port)
    async with open_app(settings) as app:
        await Worker(app).run(stop)
