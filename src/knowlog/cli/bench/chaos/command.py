"""The command: start everything, upload while processes die, wait for calm, and count."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import typer

from knowlog.cli.bench.chaos.killing import Killer
from knowlog.cli.bench.chaos.verdict import judge, until_calm
from knowlog.cli.bench.chaos.workload import Workload
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.queue_server import BrokerName, queue_server
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.servers import Server
from knowlog.cli.bench.system import System
from knowlog.cli.output import progress, say
from knowlog.cli.processes import Program, Supervisor
from knowlog.database import open_database
from knowlog.kernel.errors import InternalError

_FURTHER_WORKERS = 1
_FAKE = {"KNOWLOG_EMBEDDING_MODEL": "fake"}


def chaos(
    broker: BrokerName = "postgres",
    kills: Annotated[int, typer.Option("--kills", min=1, help="So many times kill -9 hits a process.")] = 50,
    events: Annotated[int, typer.Option("--events", min=100, help="So many uploads.")] = 25_000,
    seed: Annotated[int, typer.Option("--seed", help="Which moments and processes.")] = 7,
    json: JsonFile = None,
) -> None:
    """Kill API, workers (with their relays), PostgreSQL and the broker at random while documents come in.

    Besides, workers are paused beyond their lease and go on (one for each ten kills), and Redis, once, starts again
    without its data.

    Every document is sent in five versions, one after another was acknowledged, and is embedded by the fake
    model. `lost`: versions that were acknowledged and not handled; `wrong`: documents whose text or chunks are not
    what was sent; `twice`: effects that are there more than once;
    `stuck`: work that is not done when all is calm; `out_of_order`: versions handled before an earlier one;
    takeover_p99_s: from the death of a worker, the first if more died over it, until what it held was done by
    another, where one died in mid-work. pause_takeover_p99_s: the same from the moment in which a worker was paused. No
    neighbour sees that, as with a machine that goes silent, so that its leases run out first.
    """
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)  # that connections break is no news here
    servers: list[Server] = []
    run_bench(
        lambda system: _measure(system, broker, servers, kills, events, seed),
        None, None, json, environment=queue_server(broker, servers), fixed=_FAKE,
    )  # fmt: skip


async def _measure(
    system: System, broker: str, servers: list[Server], kills: int, events: int, seed: int
) -> Report:
    if system.stack is None:
        raise InternalError("Chaos needs a system of its own.")
    async with _further_workers(system) as workers:
        database = await open_database(system.settings.database, system.settings.data_dir)
        try:
            workload = Workload(system, database, events)
            killer = Killer(system, workers, servers[0] if servers else None, seed)
            await workload.prepare()
            with progress() as bar:
                task = bar.add_task("Uploading under fire", total=workload.count, note="")
                shooting = asyncio.create_task(
                    killer.kill(kills, lambda: workload.acknowledged / workload.count)
                )
                await workload.upload(
                    lambda done: bar.update(task, completed=done, note=f"{killer.killed.total()} killed")
                )
                await shooting
            say("Waiting for calm ...")
            calm_s = await until_calm(database)
            await workload.finish()
            figures = await judge(database, system.tenant_id, workload, killer.deaths, killer.paused)
        finally:
            await database.close()
    figures |= {
        "events": workload.count,
        "kills": killer.killed.total(),
        "pauses": killer.pauses,
        "calm_after_s": calm_s,
    }
    figures |= {f"kills_{name}": count for name, count in sorted(killer.killed.items())}
    return Report(figures, {"broker": broker, "seed": seed})


@asynccontextmanager
async def _further_workers(system: System) -> AsyncIterator[Supervisor]:
    """Workers beside the stack's own, so that somebody is there to take over."""
    assert system.stack is not None
    own = next(each for each in system.stack.supervisor.programs if each.name == "worker")
    programs = [
        Program(f"worker-{number}", "worker", own.log.with_name(f"worker-{number}.log"), own.environment)
        for number in range(_FURTHER_WORKERS)
    ]
    supervisor = Supervisor(programs)
    supervisor.start()
    try:
        yield supervisor
    finally:
        await supervisor.stop()
