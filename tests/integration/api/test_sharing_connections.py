"""Servers behind one port: who keeps a connection comes, before long, to the one that has room."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from hint_scene import with_settings

from knowlog.api import server as api_server
from knowlog.api.server import configuration, listen
from knowlog.bootstrap import App
from knowlog.cli.bench.connection import Connections


@asynccontextmanager
async def serving(app: App, beside: frozenset[int]) -> AsyncIterator[str]:
    """The address of a real server with others beside it, or none."""
    api = with_settings(app, ports_beside=beside)
    listener = listen(api.state.settings)
    server = uvicorn.Server(configuration(api, api.state.settings))
    task = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def served(app: App, beside: frozenset[int]) -> AsyncIterator[httpx.AsyncClient]:
    """A client of such a server, with one connection."""
    one = httpx.Limits(max_connections=1)
    async with (
        serving(app, beside) as url,
        httpx.AsyncClient(base_url=url, limits=one, trust_env=False) as client,
    ):
        yield client


async def told(client: httpx.AsyncClient) -> str | None:
    """What an answer says of its connection."""
    answer = await client.get("/health/live")
    assert answer.status_code == 200
    return answer.headers.get("connection")


async def test_a_connection_ends_with_an_answer_once_it_is_old(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool that was filled while there was one server would leave the second without work for ever."""
    monkeypatch.setattr(api_server, "_STAYS_S", 0.3)
    async with served(app, frozenset({9})) as client:
        assert [await told(client), await told(client)] == [None, None]
        await asyncio.sleep(0.4)
        assert await told(client) == "close"
        assert await told(client) is None, "a connection of its own, which is young"


async def test_a_server_that_shares_with_nobody_keeps_its_connections(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is nowhere else to go."""
    monkeypatch.setattr(api_server, "_STAYS_S", 0.0)
    async with served(app, frozenset()) as client:
        assert [await told(client), await told(client)] == [None, None]


async def test_a_benchmark_goes_on_over_another_connection(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the next thing the moment that it has an answer."""
    monkeypatch.setattr(api_server, "_STAYS_S", 0.0)
    async with serving(app, frozenset({9})) as url, Connections(url, "none", 2) as api:
        assert all(await asyncio.gather(*(api.get("/health/live") for _ in range(100))))
