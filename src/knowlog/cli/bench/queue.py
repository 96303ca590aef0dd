"""The queue as workers use it: jobs a second, and how long a job waits from its commit until it is handled."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import UUID

from knowlog.bootstrap import App, open_app
from knowlog.bus import Broker, Event, append_events, complete, open_broker
from knowlog.cli.registry import process
from knowlog.database import EmbeddedServer, Scope
from knowlog.evaluation import percentile
from knowlog.kernel import new_id
from knowlog.settings import load_settings
from knowlog.tenants import create_tenant

_TYPE = "document.deleted"
_QUEUE = "cleanup"
_DATA: dict[str, list[str]] = {"blobs": []}
_AT_ONCE = 500
_PACED = 400
_PAUSE_S = 0.01
_TIMEOUT_S = 180


def worker_settings() -> dict[str, Any]:
    """What the worker is measured with: the product's defaults, whatever this shell's environment says."""
    defaults = load_settings({}).worker
    return {"worker_batch": defaults.batch, "worker_concurrency": defaults.concurrency}


async def queue_figures(kind: str, url: str | None, jobs: int) -> dict[str, float]:
    """Measure the queue of one kind with a worker of the product at its default settings, in this process, whose
    handler only completes.

    `<kind>_jobs_s`: a queue of `jobs` of one tenant, worked off. `<kind>_p50_ms`, `_p99_ms`: from the commit of a single
    event until the commit of its handling, one every 10 ms.
    """
    async with _private_app(kind, url) as app:
        scope = Scope((await create_tenant(app.database, "bench")).tenant_id, "bench")
        bench = _Bench(app, scope)
        await bench.append(jobs)
        async with bench.working():
            began = perf_counter()
            await bench.until_handled(jobs)
            rate = jobs / (perf_counter() - began)
            waits = await bench.paced(_PACED)
    return {
        f"{kind}_jobs_s": rate,
        f"{kind}_p50_ms": percentile(waits, 50),
        f"{kind}_p99_ms": percentile(waits, 99),
    }


class _Bench:
    """Events of one tenant, and when each was handled."""

    def __init__(self, app: App, scope: Scope) -> None:
        self._app = app
        self._scope = scope
        self._handled: dict[UUID, float] = {}
        self._changed = asyncio.Event()

    async def append(self, count: int) -> list[UUID]:
        """Write events, a few hundred in a transaction."""
        ids: list[UUID] = []
        for start in range(0, count, _AT_ONCE):
            items = [(new_id(), _DATA) for _ in range(min(_AT_ONCE, count - start))]
            async with self._app.database.transaction(self._scope) as connection:
                ids += await append_events(connection, _TYPE, items)
        return ids

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """A worker of the product takes the events during the block."""
        stop = asyncio.Event()
        async with _broker_of(self._app) as broker:
            work_with = process("worker of one type")
            task = asyncio.create_task(work_with(self._app, broker, _TYPE, _QUEUE, self._handle, stop))
            try:
                yield
            finally:
                stop.set()
                await task

    async def until_handled(self, count: int) -> None:
        """Wait until so many events have been handled."""
        async with asyncio.timeout(_TIMEOUT_S):
            while len(self._handled) < count:
                self._changed.clear()
                await self._changed.wait()

    async def paced(self, count: int) -> list[float]:
        """Commit one event after another; milliseconds from each commit until it was handled."""
        before = len(self._handled)
        committed: dict[UUID, float] = {}
        for _ in range(count):
            (event,) = await self.append(1)
            committed[event] = perf_counter()
            await asyncio.sleep(_PAUSE_S)
        await self.until_handled(before + count)
        return [max(0.0, self._handled[event] - at) * 1000 for event, at in committed.items()]

    async def _handle(self, worker: str, events: Sequence[Event]) -> None:
        async with self._app.database.transaction(self._scope) as connection:
            await complete(connection, worker, events)
        now = perf_counter()
        self._handled |= {event.event_id: now for event in events}
        self._changed.set()


@asynccontextmanager
async def _broker_of(app: App) -> AsyncIterator[Broker | None]:
    """The broker that the settings name, for the time of the block."""
    broker = open_broker(app.settings.bus)
    try:
        yield broker
    finally:
        if broker:
            await broker.close()


@asynccontextmanager
async def _private_app(kind: str, url: str | None) -> AsyncIterator[App]:
    with tempfile.TemporaryDirectory(prefix="knowlog-bench-", ignore_cleanup_errors=True) as folder:
        path = Path(folder)
        await asyncio.to_thread(path.chmod, 0o755)
        environ = {
            "KNOWLOG_DATA_DIR": folder, "KNOWLOG_EMBEDDING_MODEL": "fake",
            "KNOWLOG_BUS_BROKER": kind, **({"KNOWLOG_BUS_URL": url} if url else {}),
        }  # fmt: skip
        settings = load_settings(environ)
        try:
            async with open_app(settings) as app:
                yield app
        finally:
            await asyncio.to_thread(EmbeddedServer(path, settings.database).stop)
