"""Real brokers, the brokers' own clients, and a worker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from producers import producer
from sources_scene import MakeScene, Scene, environ_of

from knowlog.bootstrap import App, open_app
from knowlog.database import Database, Scope
from knowlog.documents import Profile, create_collection
from knowlog.settings import load_settings
from knowlog.sources import NewSource, create_source
from servers import Running, running_server

KINDS = ["redis", "rabbitmq", "kafka"]


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """One server of each kind for all tests."""
    with running_server(request.param) as running:
        yield running


@pytest.fixture(scope="session")
async def app(server: Running, server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App that knows the broker."""
    async with open_app(load_settings(environ_of(server, server_dir))) as opened:
        yield opened


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> AsyncIterator[None]:
    """Sources of other tests are out of the way: workers read those of all tenants."""
    yield
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.sources;"
            " delete from knowlog.events where state in ('waiting', 'running')"
        )


@pytest.fixture
async def make_scene(app: App, server: Running, tenant: Scope) -> AsyncIterator[MakeScene]:
    """Make a source with a topic of its own; its collection is "handbook"."""
    async with producer(server.kind, server.url) as client:

        async def make(scope: Scope = tenant, **options: Any) -> Scene:
            topic = f"shop.{uuid4().hex[:10]}"
            await client.make(topic)
            async with app.database.transaction(scope) as connection:
                await create_collection(connection, scope, "handbook", app.complete_profile(Profile()))
            wanted = NewSource("shop", server.kind, topic, "handbook", **options)  # type: ignore[arg-type]
            source = await create_source(app.database, scope, wanted, app.settings.bus)
            return Scene(app, scope, server.kind, topic, client, source)

        yield make


@pytest.fixture
async def scene(make_scene: MakeScene) -> Scene:
    """A source of CloudEvents."""
    made: Scene = await make_scene()
    return made
