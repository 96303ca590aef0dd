"""An installation with a silo: two real databases, the application, and a worker in both."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from silo_scene import OPERATOR_KEY, SILO, Installation, client_of

from at_work import all_at_work
from knowlog.api import create_api
from knowlog.bootstrap import App, open_app
from knowlog.database import Database
from knowlog.settings import load_settings


@pytest.fixture(scope="module")
def environ(server_dir: Path) -> dict[str, str]:
    """The settings: a silo on the home's own server, and one that nobody reaches."""
    found = {
        "KNOWLOG_DATA_DIR": str(server_dir),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        "KNOWLOG_API_OPERATOR_KEY": OPERATOR_KEY,
        "KNOWLOG_DATABASE_SILOS": f"{SILO}=here gone=postgresql://nobody@127.0.0.1:1/none",
    }
    if url := os.environ.get("KNOWLOG_TEST_DATABASE_URL"):
        found["KNOWLOG_DATABASE_URL"] = url
    return found


@pytest.fixture(scope="module")
async def app(environ: dict[str, str], database: Database) -> AsyncIterator[App]:
    """The rooms."""
    async with open_app(load_settings(environ)) as opened:
        yield opened


@pytest.fixture(scope="module")
async def workers(app: App) -> AsyncIterator[None]:
    """Workers in every database, for all tests of a file."""
    async with all_at_work(app):
        yield


@pytest.fixture(scope="module")
async def silo(app: App) -> Database:
    """The database of its own."""
    return await app.database.silo(SILO)


@pytest.fixture(scope="module")
async def installation(app: App) -> AsyncIterator[Installation]:
    """The application, called without a network."""
    api = create_api(app)
    async with api.router.lifespan_context(api), client_of(api, OPERATOR_KEY) as operator:
        made = Installation(api, app.database, operator)
        yield made
        for each in made.opened:
            await each.aclose()
