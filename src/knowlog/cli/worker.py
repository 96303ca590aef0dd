"""`knowlog worker`: one worker process."""

import asyncio
import os

from knowlog.cli.options import AsJson
from knowlog.cli.output import emit, say
from knowlog.cli.registry import process
from knowlog.edge import set_up_logging, set_up_spans
from knowlog.settings import load_settings


def worker(as_json: AsJson = False) -> None:
    """Run one worker process, which takes jobs until it is stopped. Any number may run at once."""
    settings = load_settings()
    emit(
        {"worker": "started", "pid": os.getpid()},
        as_json,
        lambda value: say(f"Worker {value['pid']} takes jobs."),
    )
    set_up_logging(settings.telemetry)
    set_up_spans(settings.telemetry)
    asyncio.run(process("worker")(settings))
