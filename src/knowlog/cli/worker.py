"""`knowlog worker`: one worker process."""

import asyncio
import os
from typing import Annotated

import typer

from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, say
from knowlog.cli.registry import process
from knowlog.kernel.loops import faster_loop
from knowlog.settings import load_settings


def known(queues: str | None) -> str | None:
    """Check the names of queues. Raises typer.BadParameter."""
    if queues is None:
        return None
    from knowlog.bus import QUEUES

    every = sorted(set(QUEUES.values()))
    named = [part.strip() for part in queues.split(",") if part.strip()]
    if not named:
        raise typer.BadParameter(f"names no queue. Leave it out to serve all, or choose: {', '.join(every)}.")
    for each in named:
        if each not in every:
            raise typer.BadParameter(f"names {each!r}, which is no queue. Choose from: {', '.join(every)}.")
    return queues


Queues = Annotated[
    str | None,
    typer.Option(
        "--queues",
        callback=known,
        help="Serve only these queues, separated by commas: documents, refresh, cleanup ..."
        " [default: KNOWLOG_WORKER_QUEUES, else all]",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        min=1,
        help="Batches handled at a time. [default: KNOWLOG_WORKER_CONCURRENCY, else 3]",
    ),
]


def worker(queues: Queues = None, concurrency: Concurrency = None, as_json: AsJson = False) -> None:
    """Run one worker process, which takes jobs until it is stopped. Any number may run at once.

    Without KNOWLOG_DATABASE_URL it starts the embedded PostgreSQL where none runs. Of such workers and servers the last
    to end stops it.
    """
    from knowlog.bootstrap import require_safe
    from knowlog.cli.processes import own_database
    from knowlog.edge import set_up_logging, set_up_spans

    settings = load_settings({**os.environ, **worker_environment(queues, concurrency)})
    require_safe(settings)
    emit(
        {"worker": "started", "pid": os.getpid()},
        as_json,
        lambda value: say(f"Worker {value['pid']} starts."),
    )
    set_up_logging(settings.telemetry)
    set_up_spans(settings.telemetry)
    with own_database(settings), asyncio.Runner(loop_factory=faster_loop()) as runner:
        runner.run(process("worker")(settings))


def worker_environment(queues: str | None, concurrency: int | None) -> dict[str, str]:
    """What the options say, as settings: they come before the environment."""
    given = {"KNOWLOG_WORKER_QUEUES": queues, "KNOWLOG_WORKER_CONCURRENCY": concurrency}
    return {name: str(value) for name, value in given.items() if value is not None}
