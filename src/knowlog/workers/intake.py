"""Where a worker gets its events: from PostgreSQL itself, or by a broker's announcements."""

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
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
    unpack_announced,
    work_is_unfinished,
)
from knowlog.database import Database
from knowlog.kernel.errors import Invalid, KnowlogError
from knowlog.kernel.tasks import asked_to_end

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
        self._woken.clear()  # who has room again in the pause says so once
        await asyncio.sleep(self._next - monotonic())
        events = await claim(
            self._database, self._worker, self._settings.lease_s, most, self._types,
            held=held, skip=skip, turn=self._turn,
        ) if most else []  # fmt: skip
        if not events:
            self._next = monotonic() + _LEAST_PAUSE_S
            if wait_s > _POLL_S and (held or await work_is_unfinished(self._database)):
                wait_s = _POLL_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._woken.wait()
        return events

    def wake(self) -> None:
        """End the wait."""
        self._woken.set()


class _Share:
    """What one queue's subscription has given, and what of it is to be settled."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription
        self._done: list[Delivery] = []
        self._changed = asyncio.Event()

    def settle_soon(self, deliveries: Sequence[Delivery]) -> None:
        """Settle when there is time, together with others."""
        self._done += deliveries
        self._changed.set()

    async def settle_on(self) -> None:
        """Settle for ever. What cannot be settled comes again, and is then found to be taken."""
        while not asked_to_end():
            await self._changed.wait()
            self._changed.clear()
            done, self._done = self._done, []
            with contextlib.suppress(KnowlogError):
                await self._subscription.settle(done)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Put away what nobody can read. What the broker does not take now is received, and tried, again."""
        try:
            await self._subscription.bury([delivery], reason)
            _LOG.warning("a message that cannot be read was buried: %s", reason)
        except KnowlogError as error:
            _LOG.warning("a message that cannot be read (%s) could not be buried: %s", reason, error.detail)
            if not error.permanent:
                with contextlib.suppress(KnowlogError):  # then it comes again with the next subscription
                    await self._subscription.hand_back([delivery])


@dataclass(frozen=True, slots=True)
class _Announced:
    """An announcement: whose event, and which; and how it came."""

    tenant_id: UUID
    event_id: UUID
    share: _Share
    delivery: Delivery


class BrokerIntake:
    """Receives announcements, and claims the announced events. What was claimed is settled: from then on the lease in
    PostgreSQL tells whose work it is, and the relay announces again what a dead worker leaves behind.

    While the broker does not answer, or `mute` says that nothing can be announced, work is claimed from the table itself.
    So it is where a worker is crowded: announcements come in one row, and another's may stand far behind those of a
    tenant of whom there is enough here. What was announced of such tenants is let go; it is announced again.
    """

    def __init__(
        self, database: Database, worker: str, settings: WorkerSettings, fallback: PostgresIntake,
        mute: Callable[[], bool], announce_again_s: float,
    ) -> None:  # fmt: skip
        self._database = database
        self._worker = worker
        self._settings = settings
        self._fallback = fallback
        self._mute = mute
        self._again_s = announce_again_s
        self._received: deque[_Announced] = deque()
        self._arrived = asyncio.Event()
        self._taken = asyncio.Event()
        self._broken: set[str] = set()
        self._enough: frozenset[UUID] = frozenset()
        self._direct_until = 0.0

    async def pump(self, broker: Broker, topic: str) -> None:
        """Receive from one queue for ever. Stops receiving while the worker has enough."""
        while not asked_to_end():
            try:
                async with broker.subscribe(topic, _GROUP, self._worker) as subscription:
                    await self._receive_on(subscription, topic)
            except KnowlogError as error:
                if topic not in self._broken:
                    _LOG.warning("%s cannot be received, work is claimed directly: %s", topic, error.detail)
            except Exception:
                _LOG.exception("receiving from %s failed; it is tried again", topic)
            self._broken.add(topic)
            self._arrived.set()
            await asyncio.sleep(_BROKEN_PAUSE_S)

    async def _receive_on(self, subscription: Subscription, topic: str) -> None:
        share = _Share(subscription)
        settling = asyncio.create_task(share.settle_on())
        try:
            while not asked_to_end():
                deliveries = await subscription.receive(self._settings.batch, _PUMP_WAIT_S)
                if topic in self._broken:
                    _LOG.info("%s is received again", topic)
                    self._broken.discard(topic)
                await self._sort_in(share, deliveries)
                while len(self._received) >= self._settings.batch:
                    self._taken.clear()
                    await self._taken.wait()
        finally:
            settling.cancel()
            await asyncio.gather(settling, return_exceptions=True)

    async def _sort_in(self, share: _Share, deliveries: Sequence[Delivery]) -> None:
        """Keep what names a tenant and an event; bury the rest."""
        for each in deliveries:
            try:
                envelope = unpack_announced(each.message.body)
                self._received.append(_Announced(envelope.tenant_id, envelope.event_id, share, each))
                self._arrived.set()
            except Invalid as error:
                await share.bury(each, error.detail)
        self._let_go()

    def _let_go(self) -> None:
        """Settle unclaimed what is announced of tenants of whom there is enough here."""
        gone = [each for each in self._received if each.tenant_id in self._enough]
        if gone:
            self._received = deque(each for each in self._received if each.tenant_id not in self._enough)
            _settle_soon(gone)
            self._taken.set()

    async def take(
        self, most: int, wait_s: float, *, held: Collection[UUID], skip: Collection[UUID]
    ) -> list[Event]:
        """Claim what was announced and is at hand, of all queues. The relay has shared out the announcements fairly."""
        is_crowded = bool(skip) and most <= 1
        self._enough = frozenset(skip) if is_crowded else frozenset()
        self._let_go()
        if is_crowded:  # until what was let go is announced again
            self._direct_until = monotonic() + self._again_s + _PUMP_WAIT_S
        if self._broken or monotonic() < self._direct_until or (self._mute() and not self._received):
            return await self._fallback.take(most, wait_s, held=held, skip=skip)
        if not (most and self._received):
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
        announced = [self._received.popleft() for _ in range(min(most, len(self._received)))]
        self._taken.set()
        try:
            events = await claim_announced(
                self._database, self._worker, self._settings.lease_s,
                [(each.tenant_id, each.event_id) for each in announced], held=held,
            )  # fmt: skip
        except BaseException:  # PostgreSQL is away: these are claimed when it is back
            self._received.extendleft(reversed(announced))
            raise
        _settle_soon(announced)
        return events

    def wake(self) -> None:
        """There is room again."""
        self._arrived.set()
        self._fallback.wake()


def _settle_soon(announced: Sequence[_Announced]) -> None:
    by_share: dict[_Share, list[Delivery]] = defaultdict(list)
    for each in announced:
        by_share[each.share].append(each.delivery)
    for share, deliveries in by_share.items():
        share.settle_soon(deliveries)


@asynccontextmanager
async def open_intake(
    database: Database, broker: Broker | None, worker: str, types: Collection[str], queues: Collection[str],
    bus: BusSettings, settings: WorkerSettings, mute: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Intake]:  # fmt: skip
    """Open what the settings name as the queue. A broker that is down may come later. While `mute` says so, nothing is
    announced to it.
    """
    direct = PostgresIntake(database, worker, types, settings)
    if broker is None:
        yield direct
        return
    intake = BrokerIntake(database, worker, settings, direct, mute, bus.announce_again_s)
    pumps = [asyncio.create_task(intake.pump(broker, bus.work_topic(queue))) for queue in sorted(queues)]
    try:
        yield intake
    finally:
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
