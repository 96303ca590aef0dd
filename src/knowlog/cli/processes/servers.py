"""The servers behind one port of one machine: one at first, more while those that run have no time left."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from knowlog.cli.processes.ports import free_port, listen
from knowlog.cli.processes.program import Program
from knowlog.cli.processes.supervisor import Supervisor
from knowlog.settings import Settings

_BACKLOG = 2048
_LOOK_S = 1.0
_BUSY = 0.7
"""Part of the time in which a server's thread works, or waits for a core, that leaves no room for more."""
_BUSY_LOOKS = 2


def servers(settings: Settings, environment: Mapping[str, str], port: socket.socket) -> list[Program]:
    """The programs that serve a port which is bound. Several are told the ports at which each answers alone."""
    listen(port, _BACKLOG)
    shared = {**environment, "KNOWLOG_API_LISTENER": str(port.fileno())}
    count = settings.api.processes or _usual_count()
    ports = [free_port() for _ in range(count)] if count > 1 else []
    names = ["api", *(f"api-{number}" for number in range(2, count + 1))]
    logs = settings.data_dir / "logs"
    return [
        Program(name, "serve", logs / f"{name}.log", {**shared, **_sharing(ports, number)}, (port.fileno(),))
        for number, name in enumerate(names)
    ]


def _usual_count() -> int:
    return min(2, os.cpu_count() or 1)


def _sharing(ports: Sequence[int], number: int) -> dict[str, str]:
    if not ports:
        return {}
    others = ",".join(str(each) for each in ports if each != ports[number])
    return {"KNOWLOG_API_OWN_PORT": str(ports[number]), "KNOWLOG_API_PORTS_BESIDE": others}


@asynccontextmanager
async def growing(supervisor: Supervisor, first: Program, more: Sequence[Program]) -> AsyncIterator[None]:
    """Start one more server whenever the first has been busy for a while: at rest, one costs the memory of one."""
    task = asyncio.create_task(_grow(supervisor, first, more))
    try:
        yield
    finally:
        task.cancel()


async def _grow(supervisor: Supervisor, first: Program, more: Sequence[Program]) -> None:
    for program in more:
        await _until_busy(supervisor, first)
        supervisor.add(program)


async def _until_busy(supervisor: Supervisor, server: Program) -> None:
    looks, before, at = 0, _worked_s(supervisor, server), monotonic()
    while looks < _BUSY_LOOKS:
        await asyncio.sleep(_LOOK_S)
        now, then = _worked_s(supervisor, server), monotonic()
        looks = looks + 1 if now - before >= _BUSY * (then - at) else 0
        before, at = now, then


def _worked_s(supervisor: Supervisor, server: Program) -> float:
    """How long the server's own thread has worked, or waited for a core, since its start: Linux tells it in /proc."""
    pid = supervisor.process_ids.get(server.name)
    try:
        ran_ns, waited_ns, _ = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()
    except OSError:
        return 0.0
    return (int(ran_ns) + int(waited_ns)) / 1e9
