"""The scene of these tests: the whole HTTP application on a real database, with the fake model.

Alice owns a tenant, Bob is her colleague who may only read, Charlie owns another tenant.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest
import uvicorn
from api_scene import Client, MakeClient, client_of, settled, upload, working
from fastapi import FastAPI
from hint_scene import BASE, PLACES, Named, with_settings
from people_scene import People, people_at

from knowlog.api import create_api
from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App, open_app
from knowlog.database import Database, Scope
from knowlog.settings import load_settings
from knowlog.tenants import Role, create_key, operator_principal, set_slug, take_domain

OPERATOR_KEY = "the-operator-of-these-tests"


@pytest.fixture(autouse=True)
def every_change_is_recorded() -> Iterator[None]:
    """What changes something and is not in the audit log fails the test that did it."""
    forgotten: list[logging.LogRecord] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = forgotten.append  # type: ignore[method-assign]
    logging.getLogger("knowlog.audit").addHandler(handler)
    yield
    logging.getLogger("knowlog.audit").removeHandler(handler)
    assert [each.__dict__.get("fields") for each in forgotten] == []


@pytest.fixture(scope="session")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """The rooms, wired as in the product but for the model."""
    environ = {
        "KNOWLOG_DATA_DIR": str(server_dir),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        "KNOWLOG_API_OPERATOR_KEY": OPERATOR_KEY,
        "KNOWLOG_API_STREAMS_PER_TENANT": "2",
        "KNOWLOG_API_STREAM_HEARTBEAT_S": "0.1",
        "KNOWLOG_API_HEADER_TIMEOUT_S": "1",
        "KNOWLOG_API_BODY_TIMEOUT_S": "1",
        "KNOWLOG_API_PORT": "0",
        "KNOWLOG_DOCUMENTS_MAX_UPLOAD_MB": "2",
        "KNOWLOG_SOURCES_REDIS_URL": "redis://127.0.0.1:9/0",  # named, and never called
    }
    if url := os.environ.get("KNOWLOG_TEST_DATABASE_URL"):
        environ["KNOWLOG_DATABASE_URL"] = url
    async with open_app(load_settings(environ)) as opened:
        yield opened


@pytest.fixture(scope="session")
async def api(app: App) -> AsyncIterator[FastAPI]:
    """The application, called without a network; what it has begun ends with it."""
    made = create_api(app)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture(scope="session")
async def address(app: App) -> AsyncIterator[str]:
    """The address of a real server, for what only a socket shows."""
    listener = listen(app.settings.api)
    server = uvicorn.Server(configuration(create_api(app), app.settings.api))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield "http://{}:{}".format(*listener.getsockname())
    server.should_exit = True
    await task


@pytest.fixture
async def make_client(app: App, api: FastAPI) -> AsyncIterator[MakeClient]:
    """Make a client with a key of its own in a tenant."""
    clients: list[Client] = []

    async def make(
        scope: Scope, role: Role = "owner", collections: list[str] | None = None, groups: Sequence[UUID] = ()
    ) -> Client:
        creator = operator_principal(scope.tenant_id)
        async with app.database.transaction(scope) as connection:
            _, secret = await create_key(
                connection,
                creator,
                role,
                role,
                collections,
                groups=groups,  # type: ignore[arg-type]
            )
        clients.append(client_of(api, secret))
        return clients[-1]

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
async def alice(make_client: MakeClient, tenant: Scope) -> Client:
    """The owner, with a collection "handbook"."""
    client = await make_client(tenant, "owner")
    made = await client.post("/v1/collections", json={"name": "handbook"})
    assert made.status_code == 201, made.text
    return client


@pytest.fixture
async def bob(make_client: MakeClient, tenant: Scope) -> Client:
    """A colleague in the same tenant, who may read."""
    return await make_client(tenant, "reader")


@pytest.fixture
async def charlie(make_client: MakeClient, other_tenant: Scope) -> Client:
    """A stranger: owner of another tenant."""
    return await make_client(other_tenant, "owner")


@pytest.fixture
async def operator(api: FastAPI) -> AsyncIterator[Client]:
    """Who runs the installation."""
    async with client_of(api, OPERATOR_KEY) as client:
        yield client


@pytest.fixture
async def warranty(app: App, alice: Client) -> str:
    """A document of Alice's that is indexed."""
    async with working(app):
        document_id = await upload(
            alice,
            "# Warranty\n\nThe warranty of the probe lasts 24 months.",
            external_id="w",
            metadata={"year": 2026},
        )
        assert (await settled(alice, document_id))["state"] == "indexed"
    return document_id


@pytest.fixture(scope="session")
def hinting(app: App) -> FastAPI:
    """An application that takes every kind of hint, behind a proxy at 10.0.0.1."""
    return with_settings(
        app,
        tenant_hints=PLACES,
        base_domain=BASE,
        trusted_proxies={"10.0.0.0/8"},
        plain_hosts={"lb.internal.example"},
    )


@pytest.fixture
async def anna(hinting: FastAPI, database: Database, alice: Client, tenant: Scope) -> Named:
    """Alice, whose tenant has a slug and a domain."""
    slug = f"a{tenant.tenant_id.hex[-12:]}"
    await set_slug(database, tenant.tenant_id, slug)
    assert await take_domain(database, tenant.tenant_id, f"{slug}.alice.example")
    return Named(hinting, alice, slug)


@pytest.fixture
async def carl(hinting: FastAPI, database: Database, charlie: Client, other_tenant: Scope) -> Named:
    """Charlie, whose tenant has a slug and a domain too."""
    slug = f"c{other_tenant.tenant_id.hex[-12:]}"
    await set_slug(database, other_tenant.tenant_id, slug)
    assert await take_domain(database, other_tenant.tenant_id, f"{slug}.charlie.example")
    return Named(hinting, charlie, slug)


@pytest.fixture
async def people(api: FastAPI, database: Database) -> AsyncIterator[People]:
    """Invites people and lets them sign in."""
    async with people_at(api, database) as made:
        yield made
