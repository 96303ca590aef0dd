"""Where a worker gets its events: from PostgreSQL itself, or by a broker's announcements."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Protocol
from uuid import UUID

from knowlog.bus import (
    Broker,
    BusSettings,
    Delivery,
    Event,
    Subscription,
    Turn,
    WorkerSettings,
    claim,
    claim_announced,
    unpack,
    work_is_unfinished,
)
from knowlog.database import Database
from knowlog.kernel.errors import Invalid, KnowlogError

_LOG = logging.getLogger("knowlog.worker")
_LEAST_PAUSE_S = 0.01
"""Between two claims that found nothing: a stream of uploads by others must not become a stream of queries."""
_POLL_S = 1.0
_PUMP_WAIT_S = 5.0
_GROUP = "workers"
_BROKEN_PAUSE_S = 1.0


class Intake(Protocol):
    """A source of events, which are under this worker's lease when they come."""

    async def take(
        self, most: int, wait_s: float, *, held: Collection[UUID], skip: Collection[UUID]
    ) -> list[Event]:
        """Return up to `most` events, after waiting at most `wait_s` seconds for the first. `held` are at work here,
        and of the tenants in `skip` there is enough here. Raises KnowlogError.
        """
        ...

    def wake(self) -> None:
        """Look again at once: there may be work, or room for it."""
        ...


class PostgresIntake:
    """Claims from the table, woken by notifications."""

    def __init__(
        self, database: Database, worker: str, types: Collection[str], settings: WorkerSettings
    ) -> None:
        self._database = database
        self._worker = worker
        self._types = types
        self._settings = settings
        self._turn = Turn()
        self._woken = asyncio.Event()
        self._next = 0.0

    async def take(
        self, most: int, wait_s: float, *, held: Collection[UUID], skip: Collection[UUID]
    ) -> list[Event]:
        """Claim; if there is nothing, wait to be woken and let the caller come again. While anything is unfinished, wait
        for a second at most: it may be due, or its lease run out, without anybody saying so.
        """
        await asyncio.sleep(self._next - monotonic())
        self._woken.clear()
        events = await claim(
            self._database, self._worker, self._settings.lease_s, most, self._types,
            held=held, skip=skip, turn=self._turn,
        ) if most else []  # fmt: skip
        if not events:
            self._next = monotonic() + _LEAST_PAUSE_S
            if wait_s > _POLL_S and (not most or await work_is_unfinished(self._database)):
                wait_s = _POLL_S
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait_s)
        return events

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()


class BrokerIntake:
    """Receives announcements, and claims the announced events. What was received is settled at once: from then on the
    lease in PostgreSQL tells whose work it is, and the relay announces again what a dead worker leaves behind.

    While the broker does not answer, work is claimed from the table itself.
    """

    def __init__(
        self, database: Database, worker: str, settings: WorkerSettings, fallback: PostgresIntake
    ) -> None:
        self._database = database
        self._worker = worker
        self._settings = settings
        self._fallback = fallback
        self._received: asyncio.Queue[tuple[Subscription, list[Delivery]]] = asyncio.Queue(maxsize=1)
        self._room = asyncio.Event()
        self._broken: set[str] = set()

    async def pump(self, broker: Broker, topic: str) -> None:
        """Receive from one queue for ever. Stops receiving while the worker has enough."""
        while True:
            try:
                async with broker.subscribe(topic, _GROUP, self._worker) as subscription:
                    while True:
                        deliveries = await subscription.receive(self._settings.batch, _PUMP_WAIT_S)
                        self._broken.discard(topic)
                        if deliveries:
                            await self._received.put((subscription, deliveries))
            except KnowlogError as error:
                if topic not in self._broken:
                    _LOG.warning("%s cannot be received, work is claimed directly: %s", topic, error.detail)
                self._broken.add(topic)
            except Exception:
                _LOG.exception("receiving from %s failed; it is tried again", topic)
                self._broken.add(topic)
            await asyncio.sleep(_BROKEN_PAUSE_S)

    async def take(
        self, most: int, wait_s: float, *, held: Collection[UUID], skip: Collection[UUID]
    ) -> list[Event]:
        """Claim what was announced, all queues in turn. The relay has shared out the announcements fairly."""
        if self._broken:
            return await self._fallback.take(most, wait_s, held=held, skip=skip)
        if not most:
            self._room.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._room.wait(), wait_s)
            return []
        try:
            subscription, deliveries = await asyncio.wait_for(self._received.get(), wait_s)
        except TimeoutError:
            return []
        announced = await _readable(subscription, deliveries)
        events = await claim_announced(
            self._database, self._worker, self._settings.lease_s,
            [ids for _, ids in announced], held=held,
        )  # fmt: skip
        with contextlib.suppress(KnowlogError):  # it comes again, and is then found to be taken
            await subscription.settle([delivery for delivery, _ in announced])
        return events

    def wake(self) -> None:
        """There is room again."""
        self._room.set()
        self._fallback.wake()


async def _readable(
    subscription: Subscription, deliveries: Sequence[Delivery]
) -> list[tuple[Delivery, tuple[UUID, UUID]]]:
    """Return what names a tenant and an event; bury the rest."""
    found = []
    for delivery in deliveries:
        try:
            envelope = unpack(delivery.message.body)
            found.append((delivery, (envelope.tenant_id, envelope.event_id)))
        except Invalid as error:
            _LOG.warning("a message that cannot be read is buried: %s", error.detail)
            with contextlib.suppress(KnowlogError):
                await subscription.bury([delivery], error.detail)
    return found


@asynccontextmanager
async def open_intake(
    database: Database, broker: Broker | None, worker: str, types: Collection[str], queues: Collection[str],
    bus: BusSettings, settings: WorkerSettings,
) -> AsyncIterator[Intake]:  # fmt: skip
    """Open what the settings name as the queue. A broker that is down may come later."""
    direct = PostgresIntake(database, worker, types, settings)
    if broker is None:
        yield direct
        return
    intake = BrokerIntake(database, worker, settings, direct)
    pumps = [asyncio.create_task(intake.pump(broker, bus.work_topic(queue))) for queue in sorted(queues)]
    try:
        yield intake
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
