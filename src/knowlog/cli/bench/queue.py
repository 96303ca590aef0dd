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
_CROWDS = (20, 500)
"""So many tenants share the queue, where there are jobs enough for ten of each."""


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
        bench = await _queued(app, jobs, 1)
        async with bench.working():
            rate = await bench.rate()
            waits = await bench.paced(_PACED)
    return {
        f"{kind}_jobs_s": rate,
        f"{kind}_p50_ms": percentile(waits, 50),
        f"{kind}_p99_ms": percentile(waits, 99),
    }


async def crowd_figures(jobs: int) -> dict[str, float]:
    """The rate of the queue in PostgreSQL when many tenants share it, over its rate with one, in turns on one server."""
    figures: dict[str, float] = {}
    async with _private_app("postgres", None) as app:
        for crowd in _CROWDS:
            if jobs < 10 * crowd:
                continue
            rates = []
            for tenants in (1, crowd):
                bench = await _queued(app, jobs, tenants)
                async with bench.working():
                    rates.append(await bench.rate())
            figures[f"postgres_{crowd}_tenants_ratio"] = rates[1] / rates[0]
    return figures


async def _queued(app: App, jobs: int, tenants: int) -> "_Bench":
    """Queue jobs, the same number of each of these tenants."""
    made = [await create_tenant(app.database, f"bench-{number}") for number in range(tenants)]
    bench = _Bench(app, [Scope(each.tenant_id, "bench") for each in made])
    for scope in bench.scopes:
        await bench.append(scope, jobs // tenants)
    return bench


class _Bench:
    """Events of some tenants, and when each was handled."""

    def __init__(self, app: App, scopes: Sequence[Scope]) -> None:
        self._app = app
        self.scopes = scopes
        self._queued = 0
        self._handled: dict[UUID, float] = {}
        self._changed = asyncio.Event()

    async def append(self, scope: Scope, count: int) -> list[UUID]:
        """Write events, a few hundred in a transaction."""
        ids: list[UUID] = []
        for start in range(0, count, _AT_ONCE):
            items = [(new_id(), _DATA) for _ in range(min(_AT_ONCE, count - start))]
            async with self._app.database.transaction(scope) as connection:
                ids += await append_events(connection, _TYPE, items)
        self._queued += count
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

    async def rate(self) -> float:
        """Wait until all is handled. Returns how many a second that were."""
        began, queued = perf_counter(), self._queued - len(self._handled)
        await self._until_handled()
        return queued / (perf_counter() - began)

    async def _until_handled(self) -> None:
        async with asyncio.timeout(_TIMEOUT_S):
            while len(self._handled) < self._queued:
                self._changed.clear()
                await self._changed.wait()

    async def paced(self, count: int) -> list[float]:
        """Commit one event after another; milliseconds from each commit until it was handled."""
        committed: dict[UUID, float] = {}
        for _ in range(count):
            (event,) = await self.append(self.scopes[0], 1)
            committed[event] = perf_counter()
            await asyncio.sleep(_PAUSE_S)
        await self._until_handled()
        return [max(0.0, self._handled[event] - at) * 1000 for event, at in committed.items()]

    async def _handle(self, worker: str, events: Sequence[Event]) -> None:
        async with self._app.database.transaction(Scope(events[0].tenant_id, "bench")) as connection:
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
