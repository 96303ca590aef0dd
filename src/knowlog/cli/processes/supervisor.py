"""Keeps programs running: starts them, restarts one that dies, stops all of them."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Sequence

from knowlog.cli.processes.program import Program, end_group
from knowlog.kernel.errors import Misconfigured

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_STEADY_AFTER_S = 5.0
_MISCONFIGURED = 2  # the exit code of every knowlog process that a person must help


class Supervisor:
    """Watches a few programs. One that ends is started again, after a pause that doubles each time."""

    def __init__(self, programs: Sequence[Program], stop_timeout_s: float = 15.0) -> None:
        self.programs = list(programs)
        self._stop_timeout_s = stop_timeout_s
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._watches: list[asyncio.Task[None]] = []
        self._given_up = asyncio.Event()
        self.failures = {program.name: 0 for program in programs}
        """How often each program has ended since it last ran steadily."""

    @property
    def process_ids(self) -> dict[str, int]:
        """The process id of each program that runs."""
        return {name: process.pid for name, process in self._running.items()}

    def start(self) -> None:
        """Start every program."""
        self._watches = [self._watch(program) for program in self.programs]

    def add(self, program: Program) -> None:
        """Start one more program, and keep it running as the others."""
        self.programs.append(program)
        self.failures[program.name] = 0
        self._watches.append(self._watch(program))

    def check(self) -> None:
        """Raise the error of a program that cannot be kept running."""
        for watch in self._watches:
            if watch.done() and not watch.cancelled() and (error := watch.exception()):
                raise error

    async def wait(self) -> None:
        """Wait until a program cannot be kept running, and raise its error."""
        await self._given_up.wait()
        self.check()

    async def stop(self) -> None:
        """Ask every program to stop; one that has not after the timeout is killed, with all it started."""
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        await asyncio.gather(*(self._end(process) for process in self._running.values()))
        self._running.clear()

    def kill(self) -> None:
        """Kill every program at once."""
        for process in self._running.values():
            end_group(process, signal.SIGKILL)

    def _watch(self, program: Program) -> asyncio.Task[None]:
        watch = asyncio.create_task(self._keep(program))
        watch.add_done_callback(lambda _: self._given_up.set())
        return watch

    async def _keep(self, program: Program) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            started = time.monotonic()
            process = self._running[program.name] = await program.start()
            code = await process.wait()
            end_group(process, signal.SIGKILL)
            if code == _MISCONFIGURED:
                raise Misconfigured(
                    program.last_words() or f"{program.name} cannot start. See {program.log}."
                )
            steady = time.monotonic() - started > _STEADY_AFTER_S
            self.failures[program.name] = 1 if steady else self.failures[program.name] + 1
            pause_s = _FIRST_PAUSE_S if steady else min(pause_s * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                process.send_signal(signal.SIGTERM)
                async with asyncio.timeout(self._stop_timeout_s):
                    await process.wait()
        end_group(process, signal.SIGKILL)
        await process.wait()
