"""The supervisor, with real processes: a program is a small Python script."""

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from knowlog.cli.processes import Program, Supervisor
from knowlog.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Script(Program):
    """A program that runs a line of Python instead of a knowlog command."""

    def arguments(self) -> tuple[str, ...]:
        """The line is the command."""
        return (sys.executable, "-c", self.command)


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; fail after ten seconds."""
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def script(folder: Path, line: str) -> Script:
    """A script that logs into the folder."""
    return Script("script", line, folder / "script.log", {"OUT": str(folder / "out")})


async def test_a_program_that_ends_is_started_again(tmp_path: Path) -> None:
    """After a pause, with its failures counted."""
    supervisor = Supervisor([script(tmp_path, "import os; open(os.environ['OUT'], 'a').write('x')")])
    supervisor.start()
    await until(lambda: (tmp_path / "out").exists() and len((tmp_path / "out").read_text()) >= 2)
    await supervisor.stop()
    assert supervisor.failures["script"] >= 1


async def test_a_program_that_is_misconfigured_is_not_started_again(tmp_path: Path) -> None:
    """Exit code 2: its last words are the error."""
    line = "import sys; print('Error: The setting is wrong.', file=sys.stderr); sys.exit(2)"
    supervisor = Supervisor([script(tmp_path, line)])
    supervisor.start()
    with pytest.raises(Misconfigured, match=r"^The setting is wrong\.$"):
        await supervisor.wait()
    await supervisor.stop()


async def test_a_program_may_finish_politely(tmp_path: Path) -> None:
    """SIGTERM comes first, and what it does then is waited for."""
    line = (
        "import os, signal, time, pathlib\n"
        "def end(*_):\n"
        " time.sleep(0.2); pathlib.Path(os.environ['OUT']).write_text('finished'); raise SystemExit\n"
        "signal.signal(signal.SIGTERM, end); print('ready', flush=True); time.sleep(60)"
    )
    supervisor = Supervisor([script(tmp_path, line)])
    supervisor.start()
    await until(
        lambda: (tmp_path / "script.log").exists() and "ready" in (tmp_path / "script.log").read_text()
    )
    await supervisor.stop()
    assert (tmp_path / "out").read_text() == "finished"


async def test_a_program_that_will_not_stop_is_killed(tmp_path: Path) -> None:
    """After the timeout, and its children with it."""
    line = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    supervisor = Supervisor([script(tmp_path, line)], stop_timeout_s=0.2)
    supervisor.start()
    log = tmp_path / "script.log"
    await until(lambda: log.exists() and log.read_text().strip().isdigit())
    child = int(log.read_text())
    await supervisor.stop()
    await until(lambda: not Path(f"/proc/{child}").exists() or _is_zombie(child))


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
