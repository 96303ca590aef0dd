"""How much is played: --calls, --revocations, --seed; --figures FILE keeps the figures as JSON, also on the way, so that
--resume can go on from there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from isolation_oracle import CALLS, REVOCATIONS, SEED, Tally
from isolation_world import World, drop_database, open_world, throw_away_database

from knowlog.database import DatabaseSettings, EmbeddedServer, open_database


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("isolation")
    group.addoption("--calls", type=int, default=CALLS, help="so many calls are played")
    group.addoption(
        "--revocations", type=int, default=REVOCATIONS, help="so many pairs of revoking and reading"
    )
    group.addoption("--seed", type=int, default=SEED, help="which stories")
    group.addoption("--figures", type=Path, help="file for the figures, as JSON")
    group.addoption("--resume", action="store_true", help="go on where the run ended that wrote --figures")


@pytest.fixture(scope="session")
def server(server_dir: Path) -> EmbeddedServer:
    started = EmbeddedServer(server_dir, DatabaseSettings())
    started.start()
    return started


@pytest.fixture(scope="session")
def template(server: EmbeddedServer, server_dir: Path) -> Iterator[str]:
    """The name of a migrated database that nobody uses, to be copied."""

    async def make() -> tuple[str, str]:
        urls = await throw_away_database(server, None)
        opened = await open_database(DatabaseSettings(url=urls[0], owner_url=urls[1]), server_dir)
        await opened.close()
        return urls

    urls = asyncio.run(make())
    yield urlsplit(urls[0]).path[1:]
    asyncio.run(drop_database(server, urls[0]))


class Stage:
    """Opens worlds, each on a database of its own, in a loop that is driven from outside."""

    def __init__(self, server: EmbeddedServer, template: str, folder: Path, runner: asyncio.Runner) -> None:
        self._server, self._template, self._folder, self.runner = server, template, folder, runner
        self._stack = AsyncExitStack()

    def open(self, budget: int, sql: str = "") -> World:
        """Open the application on a database that was prepared with `sql`, by its owner."""
        return self.runner.run(self._stack.enter_async_context(self._open(Tally(budget), sql)))

    def close(self) -> None:
        self.runner.run(self._stack.aclose())

    @asynccontextmanager
    async def _open(self, tally: Tally, sql: str) -> AsyncIterator[World]:
        urls = await throw_away_database(self._server, self._template)
        try:
            async with open_world(urls, self._folder, tally) as world:
                async with world.app.database.owner() as owner:
                    if sql:
                        await owner.execute(f"set search_path = knowlog, public; {sql}")
                yield world
        finally:
            await drop_database(self._server, urls[0])


@pytest.fixture
def stage(server: EmbeddedServer, template: str, tmp_path: Path) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        opened = Stage(server, template, tmp_path, runner)
        try:
            yield opened
        finally:
            opened.close()
