"""Throw-away servers end with whoever started them, however that ends."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from knowlog.cli.bench.brokers import brokers
from knowlog.cli.bench.servers import KafkaServer
from knowlog.cli.bench.servers import program as servers
from knowlog.cli.bench.servers.program import Program, Server
from knowlog.kernel.errors import Misconfigured, Unavailable

STARTER = """
import sys, time
from pathlib import Path
from knowlog.cli.bench.servers.program import Program
Program(["sh", "-c", "sleep 300 & echo $! $$; wait"], Path(sys.argv[1]), {})
time.sleep(300)
"""


class Pages(Server):
    """Serves its folder."""

    name = "Pages"
    packages = "nothing"

    @classmethod
    def installed(cls) -> bool:
        """Always."""
        return True

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def _launch(self) -> Program:
        return Program([sys.executable, "-m", "http.server", str(self.port)], self.log, {})


def lines_of(log: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if log.exists() and log.read_text().strip():
            return [int(each) for each in log.read_text().split()]
        time.sleep(0.05)
    raise AssertionError("the program did not start")


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


def test_nothing_outlives_a_starter_that_is_killed(tmp_path: Path) -> None:
    """kill -9 of the starter ends the program and what the program started."""
    starter = subprocess.Popen([sys.executable, "-c", STARTER, str(tmp_path / "log")])
    pids = lines_of(tmp_path / "log")
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    assert len(pids) == 2
    assert all(gone(pid) for pid in pids)


def test_killing_a_program_kills_what_it_started(tmp_path: Path) -> None:
    """And waits until it is gone."""
    program = Program(["sh", "-c", "sleep 300 & echo $! $$; wait"], tmp_path / "log", {})
    pids = lines_of(tmp_path / "log")
    assert program.running
    program.kill()
    assert not program.running
    assert all(gone(pid) for pid in pids)


def test_a_program_is_asked_to_end_first(tmp_path: Path) -> None:
    """One that ends by itself when asked is waited for."""
    program = Program(
        ["sh", "-c", "trap 'exit 0' TERM; echo $$; while :; do sleep 0.1; done"], tmp_path / "log", {}
    )
    pids = lines_of(tmp_path / "log")
    program.stop()
    assert all(gone(pid) for pid in pids)


def test_kafka_of_the_checkout_is_found_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make services` put it there; a benchmark is started where one likes."""
    jars, code, elsewhere = (
        tmp_path / each for each in ("checkout/.services/kafka", "checkout/src", "elsewhere")
    )
    for folder in (jars, code, elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.delenv("KAFKA_JARS", raising=False)
    monkeypatch.setattr("knowlog.cli.bench.servers.kafka.__file__", str(code / "kafka.py"))
    monkeypatch.chdir(elsewhere)
    assert KafkaServer.jars() == jars.resolve()


def test_a_server_that_is_missing_is_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that were chosen are looked for, and the sentence names the folder in full."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAFKA_JARS", "nowhere")
    with pytest.raises(Misconfigured, match=f"not in {tmp_path}/nowhere. KAFKA_JARS names another"):
        brokers(["redis", "kafka"])


def test_another_program_on_a_port_is_not_taken_for_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka, whose second port was taken, answered and wrote errors for ever."""
    monkeypatch.setattr(servers, "_PORTS_TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(Unavailable, match=f"port {port} is taken"):
            Pages(tmp_path, [port]).start()


def test_a_port_that_is_taken_for_a_moment_is_waited_for(tmp_path: Path) -> None:
    """Somebody else may just try whether it is free."""
    other = socket.create_server(("127.0.0.1", 0))
    server = Pages(tmp_path, [other.getsockname()[1]])
    threading.Timer(0.3, other.close).start()
    server.start()
    assert server._program is not None
    assert server._program.running
    server.remove()
