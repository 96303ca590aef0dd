"""`knowlog bench footprint`: what an installation costs: room on the disk, memory, the wait for the first answer."""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from time import monotonic

from knowlog.cli.bench.installed import installed_bytes, installed_packages
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.process_tree import pss_bytes, require_proc, tree
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.bench.system import private_environment, private_folder
from knowlog.cli.interruptible import run_interruptibly
from knowlog.cli.output import say
from knowlog.database import EmbeddedServer
from knowlog.kernel.errors import Unavailable
from knowlog.settings import load_settings

_MB = 2**20
_CITATION = re.compile(r", version \d+, characters \d+ to \d+")
_SERVING = re.compile(r"^Data\s")
"""The last line that the demo prints."""
_LONGEST_S = 180.0
_SETTLING_S = 3.0
_ELSEWHERE = ("KNOWLOG_DATABASE_URL", "KNOWLOG_DATABASE_OWNER_URL")


def footprint(json: JsonFile = None) -> None:
    """Measure an installation: its size, the first start to the first cited answer, memory after the demo. Linux only.

    `installed_mb` is the room that knowlog and all it needs take, compiled files included; `first_answer_s` the time from
    `knowlog demo` on an empty folder to its first citation; `memory_mb` the proportional set size of all processes, those
    of PostgreSQL included, when its questions are answered. A MB has 1,048,576 bytes.
    """
    require_proc()
    check_writable(json)
    publish(run_interruptibly(_measure()), json)


async def _measure() -> Report:
    say("Running the demo in an empty folder ...")
    async with private_folder() as folder:
        environ = private_environment(folder, {}, without=_ELSEWHERE)
        began = monotonic()
        async with _demo(environ) as process:
            await _until(process, _CITATION)
            first_answer_s = monotonic() - began
            await _until(process, _SERVING)
            await asyncio.sleep(_SETTLING_S)
            server = EmbeddedServer(folder, load_settings(environ).database).process_id
            database = set(tree(server)) if server else set()
            memory = {
                "knowlog": _memory_mb({*tree(process.pid)} - database),
                "postgresql": _memory_mb(database),
            }
    packages = installed_packages()
    figures = {
        "installed_mb": sum(map(installed_bytes, packages)) / _MB,
        "packages": len(packages),
        "first_answer_s": first_answer_s,
        "memory_mb": sum(memory.values()),
        "knowlog_memory_mb": memory["knowlog"],
        "postgresql_memory_mb": memory["postgresql"],
    }
    return Report(figures, {"data": "examples"})


@asynccontextmanager
async def _demo(environ: Mapping[str, str]) -> AsyncIterator[Process]:
    """`knowlog demo` as a person starts it, stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "demo", stdout=PIPE, stderr=DEVNULL,
        env={**environ, "PYTHONUNBUFFERED": "1"}, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            os.kill(process.pid, signal.SIGINT)
        await process.wait()


async def _until(process: Process, wanted: re.Pattern[str]) -> None:
    """Read what the demo prints, up to a line. Raises Unavailable when that does not come."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_LONGEST_S):
            async for line in process.stdout:
                if wanted.search(line.decode("utf-8", "replace")):
                    return
    except TimeoutError:
        pass
    raise Unavailable("The demo did not come to its end. Run `knowlog demo --once`, which says why.")


def _memory_mb(pids: set[int]) -> float:
    return sum(map(pss_bytes, pids)) / _MB
