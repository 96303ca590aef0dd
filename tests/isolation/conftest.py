"""How much is played: --calls, --revocations, --seed; --figures FILE keeps the figures as JSON, also on the way, so that
--resume can go on from there.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from isolation_ground import Ground
from isolation_oracle import CALLS, REVOCATIONS, SEED, Tally
from isolation_world import World, open_world

from knowlog.database import DatabaseSettings, EmbeddedServer, open_database
from openid_provider import Provider
from own_server import spare_the_disk


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("isolation")
    group.addoption("--calls", type=int, default=CALLS, help="so many calls are played")
    group.addoption(
        "--revocations", type=int, default=REVOCATIONS, help="so many pairs of revoking and reading"
    )
    group.addoption("--seed", type=int, default=SEED, help="which stories")
    group.addoption("--figures", type=Path, help="file for the figures, as JSON")
    group.addoption("--every-bug", action="store_true", help="plant those too that only dear calls show")
    group.addoption("--resume", action="store_true", help="go on where the run ended that wrote --figures")


@pytest.fixture(scope="session")
def server(server_dir: Path) -> EmbeddedServer:
    started = EmbeddedServer(server_dir, DatabaseSettings())
    started.start()
    asyncio.run(spare_the_disk(started.url("postgres")))
    return started


@pytest.fixture(scope="session")
def template(server: EmbeddedServer, server_dir: Path) -> Iterator[str]:
    """The name of a migrated database that nobody uses, to be copied."""
    empty = Ground(server, None)

    async def make() -> None:
        await empty.make()
        settings = DatabaseSettings(url=empty.url, owner_url=empty.owner_url)
        await (await open_database(settings, server_dir)).close()

    asyncio.run(make())
    yield empty.name
    asyncio.run(empty.drop())


@pytest.fixture(scope="session")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A real OpenID provider, which runs once somebody signs in by it."""
    made = Provider(tmp_path_factory.mktemp("provider"))
    yield made
    made.stop()


class Stage:
    """Opens worlds, each on databases of its own, in a loop that is driven from outside."""

    def __init__(
        self, server: EmbeddedServer, template: str, folder: Path, provider: Provider, runner: asyncio.Runner
    ) -> None:
        self._server, self._template, self._folder = server, template, folder
        self._provider, self.runner = provider, runner
        self._stack = AsyncExitStack()

    def open(self, budget: int, sql: str = "", silo_sql: str = "") -> World:
        """Open the application on a home and a silo that were prepared by their owner."""
        ground = Ground(self._server, self._template, sql, silo_sql)
        return self.runner.run(self._stack.enter_async_context(self._open(Tally(budget), ground)))

    def close(self) -> None:
        self.runner.run(self._stack.aclose())

    @asynccontextmanager
    async def _open(self, tally: Tally, ground: Ground) -> AsyncIterator[World]:
        await ground.make()
        try:
            async with open_world(ground, self._folder, tally, self._provider) as world:
                yield world
        finally:
            await ground.drop()


@pytest.fixture
def stage(server: EmbeddedServer, template: str, tmp_path: Path, provider: Provider) -> Iterator[Stage]:
    with asyncio.Runner() as runner:
        opened = Stage(server, template, tmp_path, provider, runner)
        try:
            yield opened
        finally:
            opened.close()
