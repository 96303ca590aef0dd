"""`knowlog bench idle`: what a knowlog costs that nobody uses."""

import asyncio
from time import monotonic
from typing import Annotated

import typer

from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.process_tree import processor_s, require_proc, tree
from knowlog.cli.bench.queue_server import BrokerName, queue_server
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import say
from knowlog.database import EmbeddedServer

_SETTLING_S = 10.0
Seconds = Annotated[float, typer.Option("--seconds", min=5, help="How long to watch.")]


def idle(seconds: Seconds = 30, broker: BrokerName = "postgres", json: JsonFile = None) -> None:
    """Measure what the HTTP server and a worker use of a core while nothing happens, and apart what PostgreSQL does.

    `idle_core_share` is the processor time of both processes over the time that passed: 0.01 is one hundredth of a core.
    Linux only.
    """
    require_proc()
    run_bench(
        lambda system: _measure(system, seconds), None, None, json, environment=queue_server(broker, [])
    )


async def _measure(system: System, seconds: float) -> Report:
    assert system.stack is not None
    say("Waiting until everything is at rest ...")
    await asyncio.sleep(_SETTLING_S)
    server = EmbeddedServer(system.settings.data_dir, system.settings.database)
    groups = {name: [pid] for name, pid in system.stack.supervisor.process_ids.items()}
    groups["postgresql"] = [server.process_id] if server.process_id else []
    before, began = _used_s(groups), monotonic()
    await asyncio.sleep(seconds)
    after, took_s = _used_s(groups), monotonic() - began
    shares = {name: max(0.0, after[name] - before[name]) / took_s for name in groups}
    figures = {
        "idle_core_share": shares["api"] + shares["worker"],
        "api_core_share": shares["api"],
        "worker_core_share": shares["worker"],
        "postgresql_core_share": shares["postgresql"],
    }
    return Report(figures, {"seconds": seconds, "broker": system.settings.bus.broker})


def _used_s(groups: dict[str, list[int]]) -> dict[str, float]:
    """Processor seconds of each group of processes and of all that descends from it."""
    return {
        name: sum(processor_s(each) for pid in pids for each in tree(pid)) for name, pids in groups.items()
    }
