"""A child process that does not outlive its parent."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Program:
    """A knowlog command to be run as a process, and the file that takes what it writes."""

    name: str
    command: str
    log: Path
    environment: Mapping[str, str]
    files: tuple[int, ...] = ()
    """Numbers of open files that it is given."""

    def arguments(self) -> tuple[str, ...]:
        """The command line. The working directory is kept out of the module path."""
        return (sys.executable, "-P", "-m", "knowlog", self.command)

    async def start(self) -> asyncio.subprocess.Process:
        """Start the process in a session of its own, out of reach of the terminal's Ctrl-C."""
        parent = os.getpid()
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.log.chmod(0o600)
            return await asyncio.create_subprocess_exec(
                *self.arguments(),
                stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
                env=dict(self.environment), pass_fds=self.files, start_new_session=True,
                preexec_fn=lambda: _die_with(parent),
            )  # fmt: skip

    def last_words(self) -> str:
        """The last line of the log, which says why the process ended."""
        with contextlib.suppress(OSError):
            lines = [
                line for line in self.log.read_text("utf-8", "replace")[-8000:].splitlines() if line.strip()
            ]
            return lines[-1].strip().removeprefix("Error: ") if lines else ""
        return ""


def end_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal to a process and to whatever it started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _die_with(parent: int) -> None:
    """In the child: be killed when the parent ends, however it ends. Elsewhere than on Linux, do nothing."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
