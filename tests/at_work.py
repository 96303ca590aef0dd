"""A process's App with the fake embedding model, for tests that are not about its quality, and a worker of it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from knowlog.bootstrap import App, open_app
from knowlog.settings import load_settings
from knowlog.workers import Worker
from knowlog.workers.loop import run_workers


def environ_of(server_dir: Path, **settings: str) -> dict[str, str]:
    """The environment of a process on the tests' database: `PARSING_MAX_CHUNKS="9"` is KNOWLOG_PARSING_MAX_CHUNKS."""
    given = {
        "DATA_DIR": str(server_dir),
        "EMBEDDING_MODEL": "fake",
        "DATABASE_URL": os.environ.get("KNOWLOG_TEST_DATABASE_URL", ""),
        **settings,
    }
    return {f"KNOWLOG_{name}": value for name, value in given.items() if value}


@asynccontextmanager
async def fake_app(server_dir: Path, **settings: str) -> AsyncIterator[App]:
    """An App with these settings; the database's server must run already."""
    async with open_app(load_settings(environ_of(server_dir, **settings))) as opened:
        yield opened


@asynccontextmanager
async def at_work(app: App) -> AsyncIterator[Worker]:
    """A worker that takes jobs meanwhile, and is stopped politely."""
    worker = Worker(app)
    async with running(worker.run):
        yield worker


@asynccontextmanager
async def all_at_work(app: App) -> AsyncIterator[None]:
    """The workers of a whole process, in every database."""
    async with running(partial(run_workers, app, None)):
        yield


@asynccontextmanager
async def running(run: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Have workers run until the block ends, and stop them politely."""
    stop = asyncio.Event()
    task = asyncio.create_task(run(stop))
    try:
        yield
    finally:
        stop.set()
        await task
