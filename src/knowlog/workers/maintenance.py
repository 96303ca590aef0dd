"""What must be done now and then, by whichever worker comes first. Each step may run twice without harm.

Steps that follow from what happens are woken by it, and look by themselves now and then, in case a notification was
lost. Steps that cost much are done by one worker for all.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from time import monotonic
from typing import TypeVar

from knowlog.bootstrap import App
from knowlog.bus import fire_due, forget_events, next_due_s, seal_webhooks
from knowlog.database import WORTH_TELLING_S, Clock, Home, seconds_ahead
from knowlog.ingestion import Rebuilder, Rechunker, drop_expired_indexes, sweep_originals
from knowlog.kernel import new_id, now
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.tasks import asked_to_end
from knowlog.sources import forget_inbox
from knowlog.stores import fold_statistics, graduate_large_collections
from knowlog.tenants import Mover, fold_usage, unfinished_moves, unfinished_receipts
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_LEAST_S = 0.1
_SOON_S = 1.0
_IDLE_S = 5.0
_BUSY_S = 15.0
_ANNOUNCE_S = 5.0
_SELDOM_S = 30.0
_RARELY_S = 3600.0
_AGAIN_S = 300.0
"""So often each worker asks whether it is to do what is done once an hour."""
_SIGN_INS_KEPT = timedelta(days=30)
_IDEMPOTENCY_KEPT = timedelta(hours=24)

Result = TypeVar("Result")
Step = Callable[[], Awaitable[object]]


class Upkeep:
    """Folds statistics and usage, brings vectors under the configured model's key and chunks under their profile, fires
    schedules, gives large collections their index, drops indexes whose time is up, seals secrets that an earlier version
    stored in the clear, forgets old idempotency keys, events, kept questions, threads and uploads, sweeps away originals
    that nobody knows, moves tenants between databases, tells of a clock that is off.
    """

    def __init__(self, app: App, clock: Clock = now) -> None:
        self._app = app
        self._clock = clock
        self._clock_off = False
        name = new_id().hex[-12:]
        self._rebuilder = Rebuilder(
            app.database, app.embedder, app.store, f"rebuild-{name}", metrics.REBUILT.inc
        )
        self._rechunker = Rechunker(app.database, f"rechunk-{name}", metrics.RECHUNKED.inc)
        self._stirred = asyncio.Event()
        self._wakes: list[asyncio.Event] = []

    def stir(self) -> None:
        """Work was written, which others do: statistics will change, and nothing else that is looked after here."""
        self._stirred.set()

    def wake(self) -> None:
        """Something has happened."""
        self.stir()
        for each in self._wakes:
            each.set()

    async def run(self) -> None:
        """Go on for ever."""
        database = self._app.database
        try:
            await asyncio.gather(
                self._when_settled(lambda: fold_statistics(database)),
                self._when_woken(self._rebuilder.rebuild),
                self._when_woken(self._rechunker.rechunk),
                self._fire_schedules(),
                _every(_ANNOUNCE_S, self._announce_model),
                _every(_SELDOM_S, self.compare_clocks),
                _every(_IDLE_S, self._in_turn("usage", _IDLE_S / 2, lambda: fold_usage(database))),
                _every(_SELDOM_S, lambda: seal_webhooks(database, self._app.vault)),
                _every(_SELDOM_S, self._in_turn("near_indexes", _SELDOM_S, self._graduate)),
                _every(_SELDOM_S, self._in_turn("indexes", _SELDOM_S, self._drop_indexes)),
                _every(_AGAIN_S, self._in_turn("hourly", _RARELY_S, self._hourly)),
                self._when_woken(self._move_tenants),
            )
        finally:
            await _safely(self._rebuilder.model.withdraw)

    async def _announce_model(self) -> None:
        metrics.MODELS_DIFFER.set(not await self._rebuilder.model.announce())

    async def compare_clocks(self) -> None:
        """Say by how much this machine's clock is off the database's, where that is worth telling."""
        async with self._app.database.system() as connection:
            ahead_s = await seconds_ahead(connection, self._clock)
            is_off = abs(ahead_s) > WORTH_TELLING_S
            if is_off:
                await connection.execute("select announce_clock($1)", ahead_s)
        if is_off and not self._clock_off:
            _LOG.warning("this machine's clock is %+.0f s off the database's: set it by NTP", ahead_s)
        self._clock_off = is_off
        metrics.CLOCK_AHEAD.set(ahead_s)

    async def _when_woken(self, step: Step) -> None:
        """Run a step when something has happened, at most once a second, and every five seconds besides. One that had
        something to do has its next turn without being woken.
        """
        woken = self._listener()
        while not asked_to_end():
            woken.clear()
            busy = await _safely(step)
            await asyncio.sleep(_SOON_S)
            if not busy:
                await _within(woken, _IDLE_S - _SOON_S)

    async def _when_settled(self, step: Step) -> None:
        """Run a step once nothing has happened for a second; every five anyway, or fifteen while things go on happening.

        For what costs less done once for many: reports of some seconds name the same terms, whose rows are written once.
        """
        while not asked_to_end():
            self._stirred.clear()
            await _safely(step)
            rested = monotonic()
            await _within(self._stirred, _IDLE_S)
            while self._stirred.is_set() and monotonic() - rested < _BUSY_S:
                self._stirred.clear()
                await _within(self._stirred, _SOON_S)

    async def _fire_schedules(self) -> None:
        """Fire what is due, then sleep until something is; a new schedule ends the sleep."""
        woken = self._listener()
        while not asked_to_end():
            woken.clear()
            wait_s = await _safely(self._fire)
            await _within(woken, _SOON_S if wait_s is None else max(_LEAST_S, min(_SELDOM_S, wait_s)))

    async def _fire(self) -> float:
        """Fire what is due. Returns for how long nothing else will be."""
        metrics.FIRED.inc(await fire_due(self._app.database))
        due_s = await next_due_s(self._app.database)
        return _SELDOM_S if due_s is None else due_s

    def _listener(self) -> asyncio.Event:
        self._wakes.append(asyncio.Event())
        return self._wakes[-1]

    def _in_turn(self, name: str, every_s: float, step: Step) -> Step:
        """The step, but done by one worker of all in each interval."""

        async def guarded() -> None:
            async with self._app.database.system() as connection:
                ours = await connection.fetchval("select take_turn($1, $2)", name, timedelta(seconds=every_s))
            if ours:
                await step()

        return guarded

    async def _graduate(self) -> None:
        await graduate_large_collections(self._app.database)

    async def _drop_indexes(self) -> None:
        metrics.INDEXES_DROPPED.inc(await drop_expired_indexes(self._app.database))

    async def _hourly(self) -> None:
        """One after the other; each of them, whatever becomes of the others."""
        await _safely(self._forget_idempotency_keys)
        await _safely(self._forget_events)
        await _safely(self._forget_inbox)
        await _safely(self._finish_receipts)
        await _safely(self._forget_sign_ins)
        await _safely(self._forget_questions)
        await _safely(self._forget_threads)
        await _safely(self._forget_uploads)
        if not self._app.database.name:  # the originals of all tenants are in one place
            await _safely(
                lambda: sweep_originals(self._app.database, self._app.blobs, older_than_s=_RARELY_S)
            )

    async def _move_tenants(self) -> None:
        """Move tenants to other databases as the operator has asked; of several workers one does each move."""
        home = self._app.database
        if not isinstance(home, Home):
            return
        for move in await unfinished_moves(home):
            moved = await Mover(home, self._app.vault, move, graduate_large_collections).run()
            metrics.MOVES.labels("done" if moved else "put off").inc()

    async def _forget_events(self) -> None:
        metrics.FORGOTTEN.inc(await forget_events(self._app.database, self._app.settings.bus.keep_days))

    async def _forget_inbox(self) -> None:
        keep_days = self._app.settings.sources.keep_days
        metrics.INBOX_FORGOTTEN.inc(await forget_inbox(self._app.database, keep_days))

    async def _forget_questions(self) -> None:
        async with self._app.database.system() as connection:
            metrics.QUESTIONS_FORGOTTEN.inc(await connection.fetchval("select forget_old_questions()"))

    async def _forget_threads(self) -> None:
        keep_days = self._app.settings.threads.keep_days
        async with self._app.database.system() as connection:
            gone = await connection.fetchval("select forget_old_threads($1)", keep_days)
        metrics.THREADS_FORGOTTEN.inc(gone)

    async def _forget_uploads(self) -> None:
        """Their pieces are swept away with the originals that nobody knows."""
        keep_hours = self._app.settings.documents.upload_keep_hours
        async with self._app.database.system() as connection:
            metrics.UPLOADS_FORGOTTEN.inc(await connection.fetchval("select forget_uploads($1)", keep_hours))

    async def _finish_receipts(self) -> None:
        """Remove the original bytes of deleted tenants where a process was killed between two steps."""
        for tenant_id in await unfinished_receipts(self._app.database):
            await self._app.finish_receipt(tenant_id)

    async def _forget_sign_ins(self) -> None:
        async with self._app.database.system() as connection:
            await connection.execute("select forget_sign_ins($1)", _SIGN_INS_KEPT)

    async def _forget_idempotency_keys(self) -> None:
        async with self._app.database.system() as connection:
            await connection.execute("select forget_idempotency_keys($1)", _IDEMPOTENCY_KEPT)


async def _every(pause_s: float, step: Step) -> None:
    while not asked_to_end():
        await _safely(step)
        await asyncio.sleep(pause_s)


async def _safely(step: Callable[[], Awaitable[Result]]) -> Result | None:
    """Run a step; when it fails, say so and go on: it comes again. Returns what it returned."""
    try:
        return await step()
    except KnowlogError as error:
        _LOG.warning("maintenance is put off: %s", error.detail)
    except Exception:
        _LOG.exception("maintenance failed; it is tried again")
    return None


async def _within(woken: asyncio.Event, wait_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await woken.wait()
