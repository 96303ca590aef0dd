"""Reading sources. Every worker process looks which are active, and reads each or waits for its turn to."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic
from uuid import UUID

from knowlog.bootstrap import App
from knowlog.bus import Broker, Delivery, PlainSubscription, connect_broker
from knowlog.edge import names_on_account_of
from knowlog.kernel.errors import KnowlogError, LimitReached, Misconfigured, StorageFull, Unavailable
from knowlog.kernel.tasks import asked_to_end
from knowlog.sources import (
    Inlet,
    SourceLost,
    Taken,
    active_sources,
    hold_source,
    in_words,
    note_trouble,
    release_source,
    scope_of,
)
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_LOOK_S = 2.0
_SELDOM_S = 30.0
_WAIT_S = 2.0
_ROOM_S = 2.0
_SILENCE_S = 20.0
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_BATCH_BYTES = 32 * 2**20
"""Fewer messages are taken at a time where they are large."""
_SHARES_ITSELF = "kafka"
"""Gives each partition to one member of a group, so that the order is kept without our doing."""


class Sources:
    """Reads the active sources of all tenants until it is cancelled. What is created, paused or changed is seen within
    seconds.
    """

    def __init__(self, app: App, worker: str) -> None:
        self._app = app
        self._worker = worker
        self._brokers: dict[str, Broker] = {}
        named = app.settings.sources
        self._named = any((named.redis_url, named.rabbitmq_url, named.kafka_url))
        self._readers: dict[UUID, tuple[Inlet, asyncio.Task[None]]] = {}

    async def run(self) -> None:
        """Go on for ever."""
        try:
            while not asked_to_end():
                try:
                    await self._look()
                except KnowlogError as error:
                    _LOG.warning("the sources cannot be looked up: %s", error.detail)
                except Exception:
                    _LOG.exception("the sources cannot be looked up; it is tried again")
                await asyncio.sleep(_LOOK_S if self._named else _SELDOM_S)
        finally:
            await _ended([task for _, task in self._readers.values()])
            for broker in self._brokers.values():
                await broker.close()

    async def _look(self) -> None:
        wanted = {each.source_id: each for each in await active_sources(self._app.database)}
        metrics.SOURCES_TROUBLED.set(sum(each.trouble is not None for each in wanted.values()))
        over = {
            source_id: task for source_id, (inlet, task) in self._readers.items()
            if wanted.get(source_id) != inlet or task.done()
        }  # fmt: skip
        await _ended(list(over.values()))
        for source_id in over:
            del self._readers[source_id]
        for source_id in wanted.keys() - self._readers.keys():
            reader = _Reader(self._app, wanted[source_id], self._worker, self._broker)
            self._readers[source_id] = wanted[source_id], asyncio.create_task(reader.run())

    def _broker(self, kind: str) -> Broker:
        if kind not in self._brokers:
            url = self._app.settings.sources.url_of(kind)
            if url is None:
                raise Misconfigured(
                    f"The operator has named no {kind}: set KNOWLOG_SOURCES_{kind.upper()}_URL."
                )
            self._brokers[kind] = connect_broker(kind, url, self._app.settings.bus)
        return self._brokers[kind]


class _Reader:
    """Reads one source: receive, take, settle, in this order. What was received and not settled comes again."""

    def __init__(self, app: App, inlet: Inlet, worker: str, broker_of: Callable[[str], Broker]) -> None:
        self._app, self._inlet, self._broker_of = app, inlet, broker_of
        self._database, self._settings = app.database, app.settings.sources
        self._scope = scope_of(inlet)
        self._name = None if inlet.kind == _SHARES_ITSELF else f"{worker}:{inlet.source_id}"
        self._held_until = 0.0
        self._trouble = inlet.trouble
        self._most = 1
        """So many messages are asked for: more as they prove small. What ended this process may be the next."""
        self._pause_s = _FIRST_PAUSE_S
        self._settled = False

    async def run(self) -> None:
        """Go on for ever; what fails is tried again, less often each time."""
        names_on_account_of(self._inlet.tenant_id)
        while not asked_to_end():
            try:
                async with self._turn():
                    await self._read()
            except SourceLost:
                await asyncio.sleep(_LOOK_S)
                continue
            except KnowlogError as error:
                await self._note(in_words(error, self._inlet.kind))
            except Exception as error:
                _LOG.exception("reading the source %s failed; it is tried again", self._inlet.name)
                await self._note(f"A fault of ours: {error!r}."[:500])
            self._most = max(1, self._most // 2) if self._settled else 1
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load
            self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)

    async def _read(self) -> None:
        inlet = self._inlet
        if inlet.collection_id is None:
            raise Unavailable(
                "Its collection was deleted. Give the source another: `knowlog sources resume"
                f" {inlet.name} --collection OTHER`; what comes in waits until then."
            )
        group, broker = (
            f"{self._app.settings.bus.prefix}.source.{inlet.source_id}",
            self._broker_of(inlet.kind),
        )
        async with broker.subscribe_plain(inlet.topic, group) as subscription:
            heard, self._settled = monotonic(), False
            while not asked_to_end():
                await self._wait_for_room()
                self._require_turn()
                deliveries = await subscription.receive(self._most, _WAIT_S)
                if deliveries:
                    heard = monotonic()
                elif monotonic() - heard > _SILENCE_S:
                    await broker.check()  # a client that reconnects by itself says nothing of it
                    heard = monotonic()
                if deliveries:
                    await self._take(subscription, deliveries)
                # Only now: a connection that breaks whenever a message comes is no sign of health.
                self._pause_s = _FIRST_PAUSE_S
                await self._note(None)

    async def _take(self, subscription: PlainSubscription, deliveries: list[Delivery]) -> None:
        """Settle what is committed, part by part. After a crash between the two it comes again; the inbox knows it."""
        left = deliveries
        while left:
            done = await self._take_first(left)
            await subscription.settle(left[: done.messages])
            left = left[done.messages :]
            self._settled = True
            _count(self._inlet, done)
        largest = max(len(each.message.body) for each in deliveries)
        self._most = max(1, min(self._settings.batch, 2 * self._most, _BATCH_BYTES // max(1, largest)))

    async def _take_first(self, deliveries: list[Delivery]) -> Taken:
        while True:
            try:
                return await self._app.inbox.take(self._inlet, deliveries, self._name)
            except (LimitReached, StorageFull) as error:
                await self._note(error.detail)
                await asyncio.sleep(_ROOM_S)

    async def _wait_for_room(self) -> None:
        """Stop reading while the tenant has enough waiting: the broker keeps the rest."""
        while True:
            try:
                return await self._app.inbox.require_room(self._inlet)
            except (LimitReached, StorageFull) as error:
                await self._note(error.detail)
                await asyncio.sleep(_ROOM_S)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait to be the one who reads, where that keeps the order; remain it meanwhile."""
        if self._name is None:
            yield
            return
        lease_s = self._settings.lease_s
        while not await self._hold():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(lease_s / 3 * random.uniform(0.7, 1.0))  # noqa: S311 - spreads load
        keeping = asyncio.create_task(self._keep())
        try:
            yield
        finally:
            await _ended([keeping])
            with contextlib.suppress(KnowlogError):
                await release_source(self._database, self._scope, self._inlet.source_id, self._name)

    async def _hold(self) -> bool:
        began = monotonic()
        held = await hold_source(
            self._database, self._scope, self._inlet.source_id, str(self._name), self._settings.lease_s
        )
        self._held_until = began + self._settings.lease_s * 0.8 if held else 0.0
        return held

    async def _keep(self) -> None:
        while not asked_to_end():
            await asyncio.sleep(self._settings.lease_s / 4)
            with contextlib.suppress(KnowlogError):
                await self._hold()

    def _require_turn(self) -> None:
        if self._name is not None and monotonic() > self._held_until:
            raise SourceLost

    async def _note(self, sentence: str | None) -> None:
        """Show in the source what is wrong, once; and that it is no more."""
        if sentence == self._trouble:
            return
        if sentence:
            _LOG.warning("the source %s is not read: %s", self._inlet.name, sentence)
        with contextlib.suppress(KnowlogError):
            await note_trouble(self._database, self._scope, self._inlet.source_id, sentence)
            self._trouble = sentence


def _count(inlet: Inlet, done: Taken) -> None:
    for result in ("taken", "repeated", "dead"):
        metrics.SOURCE_MESSAGES.labels(inlet.kind, result).inc(getattr(done, result))


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
