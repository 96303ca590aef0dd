"""Webhooks of a tenant, what happens in it, and what became of the deliveries."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import UUID

import pytest
from receiver import Receiver

from knowlog.bootstrap import App
from knowlog.bus import (
    Wish,
    append_events,
    create_webhook,
    get_webhook,
    list_deliveries,
)
from knowlog.database import Scope
from knowlog.kernel import new_id


async def make(app: App, scope: Scope, url: str, *types: str, collections=None) -> tuple[UUID, str]:
    async with app.database.transaction(scope) as connection:
        wish = Wish(url, "", types or ("*",))
        webhook, secret = await create_webhook(
            connection, scope, wish, collections, app.settings.webhooks, app.vault
        )
    return webhook.endpoint_id, secret


async def happen(
    app: App, scope: Scope, count: int = 1, subject: UUID | None = None, collection=None
) -> list[UUID]:
    """Let documents be indexed, as far as the log is concerned."""
    data = {"version": 1, "chunks": 1} | ({"collection_id": collection} if collection else {})
    async with app.database.transaction(scope) as connection:
        items = [(subject or new_id(), data | {"chunks": n}) for n in range(count)]
        return await append_events(connection, "document.indexed", items)


async def states(app: App, scope: Scope, endpoint_id: UUID) -> dict[str, int]:
    async with app.database.transaction(scope) as connection:
        found: dict[str, int] = {}
        for each in await list_deliveries(connection, scope, endpoint_id, most=20_000):
            found[each.state] = found.get(each.state, 0) + 1
        return found


async def until(
    app: App, scope: Scope, endpoint_id: UUID, wanted: dict[str, int], seconds: float = 60
) -> None:
    found = None
    try:
        async with asyncio.timeout(seconds):
            while (found := await states(app, scope, endpoint_id)) != wanted:
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{found} is not {wanted}") from None


async def webhook_of(app: App, scope: Scope, endpoint_id: UUID):
    async with app.database.transaction(scope) as connection:
        return await get_webhook(connection, scope, endpoint_id)


@pytest.fixture
async def other_receiver() -> AsyncIterator[Receiver]:
    async with Receiver().serving() as server:
        yield server


@pytest.fixture(autouse=True)
def allowed(app: App, receiver: Receiver, other_receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receivers' ports are among those that are called; they are free ones, known only now."""
    ports = app.settings.webhooks.ports | {receiver.port, other_receiver.port}
    settings = app.settings.webhooks.model_copy(update={"ports": ports})
    object.__setattr__(app, "settings", replace(app.settings, webhooks=settings))
