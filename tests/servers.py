"""Real brokers for tests: own ones where they are installed, else those of `make services`."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import NoReturn

import pytest

from knowlog.bus import BusSettings, Message, connect_broker
from knowlog.cli.bench.servers import SERVERS, Server
from knowlog.kernel.errors import Unavailable

_WARM_S = 120.0
_RUNNING = Path(__file__).parents[1] / ".services" / "env"


@dataclass(frozen=True)
class Running:
    """A broker that runs. `own` may be killed; one of `make services` is None here."""

    kind: str
    url: str
    own: Server | None

    @property
    def killable(self) -> Server:
        if self.own is None:
            pytest.skip(f"{self.kind} is not ours to kill: it was started by `make services`")
        return self.own


@contextmanager
def running_server(kind: str) -> Iterator[Running]:
    """Start a server of this kind in a temporary folder, for the time of the block."""
    if not SERVERS[kind].installed():
        yield Running(kind, _url_of_services(kind), None)
        return
    with tempfile.TemporaryDirectory(prefix=f"knowlog-{kind}-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        server = SERVERS[kind](Path(folder) / "server")
        server.start()
        try:
            _warm(kind, server.url)
            yield Running(kind, server.url, server)
        finally:
            server.kill()


def _warm(kind: str, url: str) -> None:
    """Have it carry a message: with its first topic a server may take longer, on a machine with much else to do, than any
    test should wait.
    """
    with ThreadPoolExecutor(1) as apart:  # from the loop of the test
        apart.submit(asyncio.run, _carry_one(kind, url)).result()


async def _carry_one(kind: str, url: str) -> None:
    broker = connect_broker(kind, url, BusSettings(broker=kind, url=url))
    deadline = monotonic() + _WARM_S
    try:
        while True:
            try:
                return await broker.publish("warm", [Message("k", "m", b"")])
            except Unavailable:
                if monotonic() > deadline:
                    raise
                await asyncio.sleep(0.5)
    finally:
        await broker.close()


def _url_of_services(kind: str) -> str:
    lines = _RUNNING.read_text().splitlines() if _RUNNING.exists() else []
    urls = dict(line.split("=", 1) for line in lines)
    if f"{kind.upper()}_URL" not in urls:
        packages = SERVERS[kind].packages
        missing(f"{kind} is neither installed nor running: `make services-install` brings {packages}")
    return urls[f"{kind.upper()}_URL"]


def missing(reason: str) -> NoReturn:
    """Skip the test for want of a server; in CI, where everything can be installed, that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
