"""The queue of a private system: which one, and a real server of it for the time of the benchmark."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from knowlog.cli.bench.servers import SERVERS, Server
from knowlog.cli.output import say

BrokerName = Annotated[
    Literal["postgres", "redis", "rabbitmq", "kafka"],
    typer.Option("--broker", "-b", help="The queue; a real server of it is started for the time."),
]


@asynccontextmanager
async def queue_server(broker: str, started: list[Server]) -> AsyncIterator[Mapping[str, str]]:
    """Start a server of this kind, add it to `started`, and yield the settings of a system that uses it."""
    if broker == "postgres":
        yield {"KNOWLOG_BUS_BROKER": broker}
        return
    with tempfile.TemporaryDirectory(prefix="knowlog-bench-") as folder:
        await asyncio.to_thread(Path(folder).chmod, 0o755)
        server = SERVERS[broker](Path(folder) / broker)
        say(f"Starting {server.name} ...")
        await asyncio.to_thread(server.start)
        started.append(server)
        try:
            yield {"KNOWLOG_BUS_BROKER": broker, "KNOWLOG_BUS_URL": server.url}
        finally:
            server.remove()
