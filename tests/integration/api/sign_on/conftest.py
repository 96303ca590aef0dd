"""The scene: Alice's tenant has a provider, Charlie's has another; the application may reach both, on loopback."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from api_scene import Client
from fastapi import FastAPI
from hint_scene import with_settings
from people_scene import People, people_at
from provider_scene import Liar, served, through

from knowlog.bootstrap import App
from knowlog.database import Database
from openid_provider import Provider


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    """A real provider."""
    made = Provider(Path(tmp_path_factory.mktemp("provider")))
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
async def lying() -> AsyncIterator[Liar]:
    """A provider that lies, whatever it was told to say."""
    made = Liar()
    server, task = await served(made.app(), made.port)
    yield made
    server.should_exit = True
    await task


@pytest.fixture
def liar(lying: Liar) -> Liar:
    """The same, with nothing to say yet."""
    lying.__dict__.update(Liar(port=lying.port).__dict__)
    return lying


@pytest.fixture(scope="module")
def reaching(app: App, provider: Provider) -> FastAPI:
    """The application, which may reach the provider."""
    return with_settings(
        app, public_url="https://knowlog.test", sign_on_private_hosts={f"127.0.0.1:{provider.port}"}
    )


@pytest.fixture
async def owner(reaching: FastAPI, alice: Client) -> AsyncIterator[Client]:
    """Alice, at that application."""
    async with through(reaching, alice) as client:
        yield client


@pytest.fixture
async def stranger(reaching: FastAPI, charlie: Client) -> AsyncIterator[Client]:
    """Charlie, at that application."""
    async with through(reaching, charlie) as client:
        yield client


@pytest.fixture
async def crowd(reaching: FastAPI, database: Database) -> AsyncIterator[People]:
    """People, at that application."""
    async with people_at(reaching, database) as made:
        yield made
