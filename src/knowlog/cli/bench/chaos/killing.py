"""kill -9, evenly over the work, at processes chosen by lot; and workers that pause for longer than their lease."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from uuid import UUID

from knowlog.cli.bench.chaos.workload import until
from knowlog.cli.bench.servers import RedisServer, Server
from knowlog.cli.bench.system import System
from knowlog.cli.processes import Supervisor
from knowlog.database import EmbeddedServer, connect
from knowlog.kernel import now
from knowlog.kernel.errors import KnowlogError

_BROKER_DOWN_S = 2.0
_KILLS_PER_PAUSE = 10
_BEYOND_LEASE_S = 3.0
_DATABASE_BACK_S = 60.0
_PAUSE, _LOSS = "pause", "broker_with_its_data"
_OF_THE_DEAD = "select event_id from knowlog.events where state = 'running' and worker like $1"


@dataclass(frozen=True, slots=True)
class Death:
    """The worker of this process died, or was paused, at this moment, and left these events in mid-work."""

    at: datetime
    process_id: int
    events: tuple[UUID, ...]


class Killer:
    """Kills the API, a worker with its relay, PostgreSQL, or the broker, which is started again after a while: Redis
    once without its data. And pauses workers.
    """

    def __init__(self, system: System, further: Supervisor, broker: Server | None, seed: int) -> None:
        assert system.stack is not None
        self.killed: Counter[str] = Counter()
        self.pauses = 0
        self.deaths: list[Death] = []
        self.paused: list[Death] = []
        self._own = system.stack.supervisor
        self._further = further
        self._postgres = EmbeddedServer(system.settings.data_dir, system.settings.database)
        self._lease_s = system.settings.worker.lease_s
        self._broker = broker
        self._dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._names = ["api", "worker", "worker", "worker", "postgres"] + ["broker"] * bool(broker)

    async def kill(self, count: int, done: Callable[[], float]) -> None:
        """Kill `count` times, spread over the work, of which `done` tells the share that is done; and pause."""
        blows = self._blows(count)
        for number, name in enumerate(blows):
            moment = (number + self._dice.uniform(0.1, 0.9)) / len(blows)

            async def has_come(moment: float = moment) -> bool:
                return done() >= moment

            async def strikes(name: str = name) -> bool:
                return await self._strike(name)

            await until(has_come)
            await until(strikes)

    def _blows(self, count: int) -> list[str]:
        """Whom to hit, in this order."""
        blows = [self._dice.choice(self._names) for _ in range(count)]
        if isinstance(self._broker, RedisServer):
            blows[count // 2] = _LOSS
        for _ in range(max(1, count // _KILLS_PER_PAUSE)):
            blows.insert(self._dice.randrange(len(blows)), _PAUSE)
        return blows

    async def _strike(self, name: str) -> bool:
        """Hit one process; False when it does not run at this moment."""
        if name == _PAUSE:
            paused = await self._pause()
            self.pauses += paused
            return paused
        killed = await self._kill(name)
        self.killed[name] += killed
        return killed

    async def _kill(self, name: str) -> bool:
        """Kill one process; False when it does not run at this moment."""
        if name == _LOSS:
            assert self._broker is not None
            await asyncio.to_thread(self._broker.restart_empty)
            return True
        if name == "broker":
            assert self._broker is not None
            await asyncio.to_thread(self._broker.kill)
            await asyncio.sleep(self._dice.uniform(0, _BROKER_DOWN_S))
            await asyncio.to_thread(self._broker.start)
            return True
        if name == "worker":
            return await self._kill_worker()
        pid = self._postgres.process_id if name == "postgres" else self._own.process_ids.get(name)
        return _signalled(pid, signal.SIGKILL)

    def _worker(self) -> int | None:
        return self._dice.choice([self._own.process_ids.get("worker"), *self._further.process_ids.values()])

    async def _kill_worker(self) -> bool:
        pid, at = self._worker(), now()  # the database's clock is this machine's
        if pid is None or not _signalled(pid, signal.SIGKILL):
            return False
        if events := await self._held_by(pid):
            self.deaths.append(Death(at, pid, tuple(events)))
        return True

    async def _held_by(self, pid: int) -> list[UUID]:
        """What the dead held, as soon as the database answers: it may be down at this moment."""
        found: list[UUID] = []

        async def answered() -> bool:
            with contextlib.suppress(KnowlogError, OSError):
                connection = await connect(self._postgres.url("postgres"))
                try:
                    found.extend(
                        row["event_id"] for row in await connection.fetch(_OF_THE_DEAD, f"%-{pid}-%")
                    )
                finally:
                    connection.terminate()
                return True
            return False

        await until(answered, _DATABASE_BACK_S)
        return found

    async def _pause(self) -> bool:
        """Stop a worker until its lease has run out and another has its work; then it goes on as if nothing were.

        Its neighbours see a process that lives: so it is with a whole machine that goes silent.
        """
        pid, at = self._worker(), now()
        if pid is None or not _signalled(pid, signal.SIGSTOP):
            return False
        goes_on = monotonic() + self._lease_s + _BEYOND_LEASE_S
        try:
            self.paused.append(Death(at, pid, tuple(await self._held_by(pid))))
            await asyncio.sleep(goes_on - monotonic())
        finally:
            _signalled(pid, signal.SIGCONT)
        return True


def _signalled(pid: int | None, number: signal.Signals) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True
