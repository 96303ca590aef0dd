"""kill -9, evenly over the work, at processes chosen by lot."""

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from knowlog.cli.bench.chaos.workload import until
from knowlog.cli.bench.servers import Server
from knowlog.cli.bench.system import System
from knowlog.cli.processes import Supervisor
from knowlog.database import Database, EmbeddedServer
from knowlog.kernel.errors import KnowlogError

_BROKER_DOWN_S = 2.0


@dataclass(frozen=True, slots=True)
class Death:
    """A worker died, by the database's clock, and left these events in mid-work."""

    at: datetime
    events: tuple[UUID, ...]


class Killer:
    """Kills the API, a worker with its relay, PostgreSQL, or the broker, which is started again after a while."""

    def __init__(
        self, system: System, further: Supervisor, database: Database, broker: Server | None, seed: int
    ) -> None:
        assert system.stack is not None
        self.killed: Counter[str] = Counter()
        self.deaths: list[Death] = []
        self._own = system.stack.supervisor
        self._further = further
        self._database = database
        self._postgres = EmbeddedServer(system.settings.data_dir, system.settings.database)
        self._broker = broker
        self._dice = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._names = ["api", "worker", "worker", "worker", "postgres"] + ["broker"] * bool(broker)

    async def kill(self, count: int, done: Callable[[], float]) -> None:
        """Kill `count` times, spread over the work, of which `done` tells the share that is done."""
        for number in range(count):
            moment = (number + self._dice.uniform(0.1, 0.9)) / count

            async def has_come(moment: float = moment) -> bool:
                return done() >= moment

            await until(has_come)
            await until(self._kill_some)

    async def _kill_some(self) -> bool:
        """Kill whatever the lot falls on; False when it does not run at this moment."""
        name = self._dice.choice(self._names)
        if not await self._kill(name):
            return False
        self.killed[name] += 1
        return True

    async def _kill(self, name: str) -> bool:
        """Kill one process; False when it does not run at this moment."""
        if name == "broker":
            assert self._broker is not None
            await asyncio.to_thread(self._broker.kill)
            await asyncio.sleep(self._dice.uniform(0, _BROKER_DOWN_S))
            await asyncio.to_thread(self._broker.start)
            return True
        if name == "worker":
            return await self._kill_worker()
        pid = self._postgres.process_id if name == "postgres" else self._own.process_ids.get(name)
        return _killed(pid)

    async def _kill_worker(self) -> bool:
        pids = [self._own.process_ids.get("worker"), *self._further.process_ids.values()]
        pid = self._dice.choice(pids)
        if not _killed(pid):
            return False
        with contextlib.suppress(KnowlogError):  # the database may be down: then this death is not timed
            async with self._database.owner() as owner:
                rows = await owner.fetch(
                    "select event_id, clock_timestamp() as now from knowlog.events"
                    " where state = 'running' and worker like $1", f"%-{pid}-%"
                )  # fmt: skip
            if rows:
                self.deaths.append(Death(rows[0]["now"], tuple(row["event_id"] for row in rows)))
        return True


def _killed(pid: int | None) -> bool:
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
