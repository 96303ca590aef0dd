"""The scene of these tests: a real HTTP server receives what a real worker sends."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from receiver import Receiver

from at_work import all_at_work
from knowlog.bootstrap import App, open_app
from knowlog.database import Database
from knowlog.settings import load_settings


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way: the queue is one for all tenants."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running');"
            " delete from knowlog.webhooks"
        )


@pytest.fixture(scope="session")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App that may call this machine, and does not wait for hours."""
    environ = {
        "KNOWLOG_DATA_DIR": str(server_dir),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "127.0.0.1",
        "KNOWLOG_WEBHOOKS_PORTS": "80,443",
        "KNOWLOG_WEBHOOKS_TIMEOUT_S": "1",
        "KNOWLOG_WEBHOOKS_ATTEMPTS": "4",
        "KNOWLOG_WEBHOOKS_BACKOFF_S": "0.05",
        "KNOWLOG_WEBHOOKS_LONGEST_BACKOFF_S": "0.4",
    }
    if url := os.environ.get("KNOWLOG_TEST_DATABASE_URL"):
        environ["KNOWLOG_DATABASE_URL"] = url
    async with open_app(load_settings(environ)) as opened:
        yield opened


@pytest.fixture
async def receiver(app: App) -> AsyncIterator[Receiver]:
    """An endpoint. Its host and port are named as allowed."""
    async with Receiver().serving() as server:
        yield server


@pytest.fixture
async def working(app: App) -> AsyncIterator[None]:
    """A worker process's work, during the test."""
    async with all_at_work(app):
        yield
