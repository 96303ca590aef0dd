"""The loop of a worker: take events, give each tenant its turn, keep the leases, stop politely."""

import asyncio
import contextlib
import logging
import signal
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any
from uuid import UUID

from knowlog.bootstrap import App, open_app, require_key_of_stored, require_safe
from knowlog.bus import (
    CATALOGUE,
    QUEUES,
    Broker,
    Event,
    claim_orphans,
    done_by,
    fail,
    keep_leases,
    open_broker,
    release,
)
from knowlog.database import Scope
from knowlog.edge import names_on_account_of
from knowlog.kernel.errors import KnowlogError, foreseen
from knowlog.kernel.tasks import asked_to_end
from knowlog.settings import Settings
from knowlog.workers import metrics
from knowlog.workers.deliveries import Feeder
from knowlog.workers.handlers import Handler, handlers_of, most_attempts, queues_served
from knowlog.workers.intake import Intake, open_intake
from knowlog.workers.maintenance import Upkeep
from knowlog.workers.memory import end_when_too_large
from knowlog.workers.neighbours import end_leases_of_dead, new_name
from knowlog.workers.publishing import Publisher
from knowlog.workers.relay import Relay
from knowlog.workers.sources import Sources
from knowlog.workers.turns import Batch, Turns, split

_LOG = logging.getLogger("knowlog.worker")
_POLL_S = 1.0
_IDLE_POLL_S = 5.0
"""Between two looks of a worker that listens, while nothing of any tenant is unfinished."""
_BROKEN_PAUSE_S = 1.0
_LOOK_AROUND_S = 2.0
_SILO_AGAIN_S = 5.0
_DOCUMENTS = "document.received"
"""Work that is done for many at once, and tells by itself which of them failed. All other is done one by one."""
DELIVERIES = "deliveries"
_ABROAD = frozenset({DELIVERIES, "mail", "refresh"})
"""The queues of work that waits on others' machines."""


class JobTooLong(KnowlogError):
    """A job that did not end in its time. The next attempt may be faster."""

    code, permanent = "job-too-long", False

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"The job took longer than {limit_s:g} s. If it hangs no more and needs that time, raise"
            " KNOWLOG_WORKER_JOB_TIMEOUT_S."
        )


class WorkerEnded(KnowlogError):
    """A job whose every attempt ended with its worker."""

    code = "worker-ended"


class Worker:
    """One process's share of the work. Its name is new at each start, so that no lease can be mistaken for its own.

    It serves the types in `queues`, by default all that the settings name. One that `tends` also looks after what must be
    done by somebody: maintenance, the relay, publishing. `handlers` come before the product's own, and get whole batches.
    """

    def __init__(
        self,
        app: App,
        broker: Broker | None = None,
        queues: Mapping[str, str] | None = None,
        *,
        tends: bool = True,
        handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        self.name = new_name()
        self._app = app
        self._broker = broker
        self._settings = app.settings.worker
        served = queues_served(self._settings)
        self._queues = served if queues is None else queues
        self._tends = tends
        self._handlers: dict[str, Handler] = {**handlers_of(app), **(handlers or {})}
        self._together = frozenset({_DOCUMENTS, *(handlers or ())})
        self._held: dict[UUID, Event] = {}
        self._turns = Turns(
            self._settings.concurrency, app.settings.webhooks.concurrency, self._settings.batch
        )
        self._running: dict[asyncio.Task[None], Batch] = {}
        self._steps: dict[asyncio.Timeout, Sequence[Event]] = {}
        self._relay = (
            Relay(app.database, broker, app.settings.bus, served, lambda: self._listens)
            if broker and tends else None
        )  # fmt: skip
        self._feeder = Feeder(app, self.name) if DELIVERIES in self._queues.values() else None
        self._intake: Intake | None = None
        self._listens = False
        self._upkeep = Upkeep(app)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then finish within the grace time or hand the rest back."""
        opened = open_intake(
            self._app.database, self._broker, self.name, self._queues, frozenset(self._queues.values()),
            self._app.settings.bus, self._settings, lambda: bool(self._relay and self._relay.broken),
        )  # fmt: skip
        async with opened as self._intake:
            helpers = self._helpers(stop)
            _LOG.info("worker %s takes jobs", self.name)
            try:
                while not stop.is_set():
                    await self._take(self._intake)
                await self._finish()
            finally:
                for helper in helpers:
                    helper.cancel()
                await asyncio.gather(*helpers, return_exceptions=True)

    def _helpers(self, stop: asyncio.Event) -> list[asyncio.Task[None]]:
        steps = [self._keep_leases(), self._take_over(), self._listen(), self._wake_on(stop)]
        if self._feeder:
            steps.append(self._feeder.run())
        if self._tends:
            steps += self._tending()
        return [asyncio.create_task(step) for step in steps]

    def _tending(self) -> list[Coroutine[Any, Any, None]]:
        steps = [self._upkeep.run(), Sources(self._app, self.name).run()]
        bus, app = self._app.settings.bus, self._app
        if self._settings.memory_mb:
            steps.append(end_when_too_large(self._settings.memory_mb))
        if self._relay:
            steps.append(self._relay.run())
        if self._broker and bus.publish_types:
            steps.append(Publisher(app.database, self._broker, app.blobs, bus).run())
        return steps

    async def _take(self, intake: Intake) -> None:
        """Take events as far as there is room, and begin what may begin."""
        most, skip = self._turns.room(self._settings.batch)
        try:
            events = await intake.take(
                most, _IDLE_POLL_S if self._listens else _POLL_S, held=self._held, skip=skip
            )
        except Exception as error:
            _LOG.warning("cannot take jobs: %s", error)
            await asyncio.sleep(_BROKEN_PAUSE_S)
            return
        self._add(events)

    def _add(self, events: Sequence[Event]) -> None:
        """Hold events that were claimed, and begin what may begin."""
        self._held.update({event.event_id: event for event in events})
        self._turns.add(split(events, self._settings.batch_kb * 1024))
        self._begin()

    async def _orphans(self) -> list[Event]:
        return await claim_orphans(
            self._app.database,
            self.name,
            self._settings.lease_s,
            self._settings.batch,
            self._queues,
            held=self._held,
        )

    def _begin(self) -> None:
        while batch := self._turns.begin():
            task = asyncio.create_task(self._handle(batch))
            self._running[task] = batch
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        batch = self._running.pop(task)
        self._turns.end(batch)
        if not task.cancelled():
            for event in batch.events:
                self._let_go(event)
            metrics.JOBS.labels(batch.type).inc(len(batch.events))
            self._begin()
            if self._intake:
                self._intake.wake()
        metrics.hold(self.name, len(self._held))

    def _let_go(self, event: Event) -> None:
        if self._is_held(event):
            del self._held[event.event_id]

    def _is_held(self, event: Event) -> bool:
        """Whether it is ours yet, as it was taken: not cancelled, not taken over, not taken anew since."""
        return self._held.get(event.event_id) is event

    async def _handle(self, batch: Batch) -> None:
        names_on_account_of(batch.tenant_id)
        together = batch.type in self._together
        for events in [batch.events] if together else [[event] for event in batch.events]:
            if ours := list(filter(self._is_held, events)):
                await self._handle_some(batch.type, ours)

    async def _handle_some(self, kind: str, events: Sequence[Event]) -> None:
        """Do what these events ask for; what goes wrong is put on the account of them all."""
        limit = asyncio.timeout(self._settings.job_timeout_s)
        try:
            self._refuse_deadly(events[0])
            async with limit:
                await self._step(limit, self._handlers[kind], events)
        except Exception as error:
            if limit.expired() and isinstance(error, TimeoutError):
                ours = list(filter(self._is_held, events))  # none where `_stop_lost` has ended the time
                await self._fail(ours, JobTooLong(self._settings.job_timeout_s))
                return
            _LOG.warning("a batch of %s failed: %r", kind, error)
            metrics.FAULTS.labels(kind).inc()
            await self._fail(events, error)

    async def _step(self, limit: asyncio.Timeout, handler: Handler, events: Sequence[Event]) -> None:
        self._steps[limit] = events
        try:
            await handler(self.name, events)
        finally:
            del self._steps[limit]

    def _refuse_deadly(self, event: Event) -> None:
        """Raise WorkerEnded for a job that was begun as often as allowed, and never lived to fail."""
        if event.type != _DOCUMENTS and event.attempts > most_attempts(self._app, event.type):
            raise WorkerEnded(
                "This job ended its worker again and again. It may need more memory than KNOWLOG_WORKER_MEMORY_MB allows."
            )

    async def _fail(self, events: Sequence[Event], error: Exception) -> None:
        """What a handler did not settle itself is tried again; if even that cannot be written, the lease runs out."""
        for event in events:
            with contextlib.suppress(Exception):  # whatever it is, the lease must be free to run out
                scope = Scope(event.tenant_id, f"worker:{self.name}")
                if event.type == _DOCUMENTS:
                    await self._app.indexer.give_up(self.name, scope, event, error)
                    continue
                known = foreseen(error)
                final = known.permanent or event.attempts >= most_attempts(self._app, event.type)
                async with self._app.database.transaction(scope) as connection:
                    wait_s = None if final else self._settings.wait_s(event.attempts)
                    await fail(connection, self.name, event, known.detail[:500], wait_s)

    async def _keep_leases(self) -> None:
        """Prolong the leases of everything held, well before they end; stop what is not ours any more."""
        while not asked_to_end():
            await asyncio.sleep(self._settings.lease_s / 4)
            if self._held:
                with contextlib.suppress(Exception):  # the next beat comes before the lease ends
                    held = dict(self._held)
                    lost = await keep_leases(
                        self._app.database, self.name, self._settings.lease_s, list(held)
                    )
                    lost -= await self._done_here(lost)
                    self._stop_lost({each for each in lost if self._is_held(held[each])})

    async def _done_here(self, lost: set[UUID]) -> set[UUID]:
        """What is held no more because this worker has completed it a moment ago: its batch is about to end."""
        done: set[UUID] = set()
        by_tenant: dict[UUID, list[UUID]] = defaultdict(list)
        for event in list(self._held.values()):
            if event.event_id in lost:
                by_tenant[event.tenant_id].append(event.event_id)
        for tenant_id, ids in by_tenant.items():
            async with self._app.database.transaction(Scope(tenant_id, f"worker:{self.name}")) as connection:
                done |= await done_by(connection, self.name, ids)
        return done

    async def _take_over(self) -> None:
        """Free at once what workers of this machine held when they died; with a broker, look after orphans here too."""
        while not asked_to_end():
            with contextlib.suppress(Exception):  # else their leases run out
                if await end_leases_of_dead(self._app.database, self.name):
                    self._wake()
                if self._broker:  # which may be slow to tell, or away
                    self._add(await self._orphans())
            await asyncio.sleep(_LOOK_AROUND_S)

    def _stop_lost(self, lost: set[UUID]) -> None:
        """Stop what is being done of which nothing is ours any more: cancelled, deleted, or taken over while this one
        slept. What has not begun begins no more.
        """
        self._turns.drop(lost)
        begun = {event.event_id for events in self._steps.values() for event in events}
        for event_id in lost - begun:
            self._held.pop(event_id, None)
        for limit, events in list(self._steps.items()):
            if all(event.event_id in lost for event in events):
                _LOG.info("a batch of %s is given up: it is not ours any more", events[0].type)
                for event in events:
                    self._let_go(event)
                if not limit.expired():
                    limit.reschedule(asyncio.get_running_loop().time())

    async def _listen(self) -> None:
        """Be woken when work is written. Where listening is impossible, polling once a second goes on."""
        while not asked_to_end():
            broken = asyncio.Event()

            def heard(payload: str, broken: asyncio.Event = broken) -> None:
                self._wake(payload)
                if payload == "broken":
                    broken.set()

            with contextlib.suppress(Exception):
                async with self._app.database.listen("knowlog_work", heard):
                    self._listens = True
                    self._wake()  # for what was written before
                    await broken.wait()
            self._listens = False
            await asyncio.sleep(_POLL_S)

    def _wake(self, heard: str = "") -> None:
        """Look again. `heard`: the type of the event that was written; none that is known where it may be anything."""
        known = heard in CATALOGUE or heard in QUEUES
        for each in (self._relay, self._feeder):
            if each:
                each.wake()
        if known:
            self._upkeep.stir()
        else:
            self._upkeep.wake()
        if self._intake and (heard in self._queues or not known):
            self._intake.wake()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        if self._intake:
            self._intake.wake()

    async def _finish(self) -> None:
        """Give running batches the grace time, then hand back what is left, so that another worker has it at once."""
        self._turns = Turns(0)  # what has not begun begins no more
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
                scope = Scope(tenant_id, f"worker:{self.name}")
                async with self._app.database.transaction(scope) as connection:
                    for event in events:
                        await release(connection, self.name, event)


async def run_worker(settings: Settings) -> None:
    """Run one worker until SIGTERM or SIGINT. Raises Misconfigured for settings with which it must not run."""
    require_safe(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    metrics.serve_metrics(settings.worker.metrics_port)
    async with open_app(settings) as app, contextlib.AsyncExitStack() as stack:
        await require_key_of_stored(app)
        broker = open_broker(settings.bus)
        if broker:
            stack.push_async_callback(broker.close)
        await run_workers(app, broker, stop)


async def work_with(
    app: App, broker: Broker | None, kind: str, queue: str, handler: Handler, stop: asyncio.Event
) -> None:
    """Take the events of one type, hand them to `handler` instead of the product's own, until `stop` is set."""
    await Worker(app, broker, {kind: queue}, handlers={kind: handler}).run(stop)


async def run_workers(app: App, broker: Broker | None, stop: asyncio.Event) -> None:
    """Work until `stop` is set, in the home database and in every silo."""
    in_silos = (_work_in(app, each, broker, stop) for each in app.database.silos)
    await asyncio.gather(_work_at(app, broker, stop), *in_silos)


async def _work_in(app: App, silo: str, broker: Broker | None, stop: asyncio.Event) -> None:
    """Work in a silo as soon as it answers."""
    while not stop.is_set():
        try:
            await _work_at(app.at(await app.database.silo(silo)), broker, stop)
        except KnowlogError as error:
            _LOG.warning("no work is done in the silo %s: %s", silo, error.detail)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SILO_AGAIN_S):
                await stop.wait()


async def _work_at(app: App, broker: Broker | None, stop: asyncio.Event) -> None:
    """Work in one database. What waits on others' machines is taken by a worker of its own, so that endpoints which
    do not answer keep no document waiting.
    """
    served = queues_served(app.settings.worker)
    abroad = {kind: queue for kind, queue in served.items() if queue in _ABROAD}
    here = {kind: queue for kind, queue in served.items() if queue not in _ABROAD}
    shares = [each for each in (here, abroad) if each]
    workers = [Worker(app, broker, each, tends=each is shares[0]) for each in shares]
    await asyncio.gather(*(worker.run(stop) for worker in workers))
