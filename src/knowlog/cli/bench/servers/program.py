"""What all throw-away servers share: start, stop, kill, restart, and die with whoever started them."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from knowlog.cli.bench.servers import guard
from knowlog.kernel.errors import Misconfigured, Unavailable

_START_TIMEOUT_S = 180.0
_STOP_TIMEOUT_S = 20.0
_PORTS_TIMEOUT_S = 20.0


class Program:
    """A guarded process. Killing it kills everything that it started."""

    def __init__(
        self, arguments: Sequence[str], log: Path, environment: Mapping[str, str], user: str = ""
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", guard.__file__, user, str(log), *arguments],
            stdin=subprocess.PIPE, env={**os.environ, **environment}, cwd="/", start_new_session=True,
        )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would, and wait until it is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and kill it when it takes too long."""
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_TIMEOUT_S)
        self.kill()


class Server(ABC):
    """A server with its data in `folder`, on ports of the loopback that stay its own across restarts."""

    name: ClassVar[str]
    packages: ClassVar[str]
    """What is to be installed for it, for a sentence."""

    def __init__(self, folder: Path, ports: Sequence[int] = ()) -> None:
        self.folder = folder
        self.ports = [*ports] or _free_ports(3)
        self.port = self.ports[0]
        self._program: Program | None = None

    @classmethod
    @abstractmethod
    def installed(cls) -> bool:
        """Whether its programs are on this machine."""

    @classmethod
    def require(cls) -> None:
        """Raise Misconfigured, with what is to be installed, where its programs are not on this machine."""
        if not cls.installed():
            raise Misconfigured(f"{cls.name} is not on this machine. Install {cls.wanted()}.")

    @classmethod
    def wanted(cls) -> str:
        """What is to be installed, and where it is looked for if that is no matter of course."""
        return cls.packages

    @property
    @abstractmethod
    def url(self) -> str:
        """The address in the form of KNOWLOG_BUS_URL."""

    @property
    def log(self) -> Path:
        """The file that takes what the server writes."""
        return self.folder / "log"

    def start(self) -> None:
        """Start the server and wait until it answers. Raises Misconfigured, Unavailable."""
        self.require()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._await_ports()
        self._program = self._launch()
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not self._ready():
            if not self._program.running or time.monotonic() > deadline:
                self.kill()
                raise Unavailable(f"{self.name} did not start. Its last words: {self._last_words()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End the server in order. Does nothing when it does not run."""
        if self._program is not None:
            self._program.stop()
            self._program = None

    def kill(self) -> None:
        """End the server at once, with nothing written that it still had in mind."""
        if self._program is not None:
            self._program.kill()
            self._program = None

    def restart(self) -> None:
        """Kill the server and start it again, with the data that it had written."""
        self.kill()
        self.start()

    def restart_empty(self) -> None:
        """Kill the server and start it again without anything that it had written, as after the loss of its disk."""
        self.kill()
        shutil.rmtree(self.folder)
        self.start()

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await_ports(self) -> None:
        # Not every server ends when one of its ports is taken: Kafka answers its clients and is ill from then on.
        deadline = time.monotonic() + _PORTS_TIMEOUT_S
        while taken := [port for port in self.ports if not _is_free(port)]:
            if time.monotonic() > deadline:
                raise Unavailable(f"{self.name} cannot start: port {taken[0]} is taken by another program.")
            time.sleep(0.05)

    @abstractmethod
    def _launch(self) -> Program:
        """Start the program, without waiting for it."""

    def _ready(self) -> bool:
        """Whether it answers. By itself, whether something listens."""
        return listens(self.port)

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            lines = self.log.read_text("utf-8", "replace")[-4000:].split("\n")
            return " | ".join([line.strip() for line in lines if line.strip()][-3:])
        return "none"


def listens(port: int) -> bool:
    """Whether something takes connections on this port of the loopback."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def _free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, below those that connections are given."""
    found: list[int] = []
    start = 20_000 + (os.getpid() * 37 + time.time_ns() // 1000) % 10_000
    for port in range(start, start + 2_000):
        if _is_free(port):
            found.append(port)
        if len(found) == count:
            return found
    raise Unavailable("This machine has no free port between 20000 and 32000.")


def _is_free(port: int) -> bool:
    """Whether a server could listen there: closing connections of an earlier one do not count."""
    with contextlib.suppress(OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        probe.listen()
        return True
    return False
