"""A grant that was taken back opens nothing from the next call on, on any surface, also in open streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import cycle, islice
from uuid import UUID

import httpx
import pytest
from api_scene import Client
from permission_scene import CANARY, Secret

from knowlog.bootstrap import App
from knowlog.database import Scope

Look = Callable[[Client, Secret], Awaitable[bool]]


async def by_id(client: Client, secret: Secret) -> bool:
    return (await client.get(f"/v1/documents/{secret.document_id}")).status_code == 200


async def by_text(client: Client, secret: Secret) -> bool:
    return CANARY in (await client.get(f"/v1/documents/{secret.document_id}/text")).text


async def by_content(client: Client, secret: Secret) -> bool:
    return CANARY in (await client.get(f"/v1/documents/{secret.document_id}/content")).text


async def by_list(client: Client, secret: Secret) -> bool:
    return secret.document_id in (await client.get("/v1/documents")).text


async def by_count(client: Client, secret: Secret) -> bool:
    return (await client.get("/v1/collections/handbook")).json()["document_count"] == 2


async def by_search(client: Client, secret: Secret) -> bool:
    return CANARY in (await client.post("/v1/search", json={"question": "settlement"})).text


async def by_answer(client: Client, secret: Secret) -> bool:
    asked = {"question": "What does the settlement cost?"}
    return secret.document_id in (await client.post("/v1/answers", json=asked)).text


async def by_job(client: Client, secret: Secret) -> bool:
    return (await client.get(f"/v1/jobs/{secret.job_id}")).status_code == 200


async def by_event(client: Client, secret: Secret) -> bool:
    return secret.document_id in (await client.get("/v1/events")).text


SURFACES: list[Look] = [
    by_id, by_text, by_content, by_list, by_count, by_search, by_answer, by_job, by_event,
]  # fmt: skip


@pytest.mark.slow
async def test_no_grant_is_stale(app: App, tenant: Scope, dora: Client, secret: Secret, legal: UUID) -> None:
    """500 times: given, seen; taken back, not seen. Each time on another surface."""
    stale = blind = 0

    async def listed(subjects: list[UUID]) -> None:
        async with app.database.transaction(tenant) as connection:
            await connection.execute(
                "update documents set audience = $2 where document_id = $1",
                UUID(secret.document_id),
                subjects,
            )

    for look in islice(cycle(SURFACES), 500):
        await listed([])
        stale += await look(dora, secret)
        await listed([legal])
        blind += not await look(dora, secret)
    assert (stale, blind) == (0, 0)


@asynccontextmanager
async def stream(address: str, client: Client, path: str) -> AsyncIterator[AsyncIterator[str]]:
    """An open event stream: its lines."""
    async with (
        httpx.AsyncClient(headers=client.headers, timeout=20, trust_env=False) as http,
        http.stream("GET", f"{address}{path}") as answer,
    ):
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def heard(lines: AsyncIterator[str], for_s: float) -> list[str]:
    """What comes in so many seconds."""
    found: list[str] = []
    try:
        async with asyncio.timeout(for_s):
            async for line in lines:
                if line.startswith("data: "):
                    found.append(line)
    except TimeoutError:
        pass
    return found


async def test_an_open_log_goes_on_without_it(
    address: str, alice: Client, dora: Client, secret: Secret
) -> None:
    """Dora follows all events; she is taken out of the list; what happens then is not told to her."""
    async with stream(address, dora, "/v1/events/stream") as lines:
        await asyncio.sleep(0.5)
        path = f"/v1/documents/{secret.document_id}"
        await alice.post(f"{path}:retry")
        await alice.put(f"{path}/access", json={"subjects": []})
        await alice.patch(path, json={"title": "Renamed"})
        told = await heard(lines, 2.5)
    assert not any(secret.document_id in line for line in told)


async def test_an_open_watch_ends_as_if_it_were_deleted(
    address: str, alice: Client, bob: Client, dora: Client, secret: Secret, tenant: Scope, app: App
) -> None:
    """The stream of one document says that there is none."""
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set state = 'parsing' where document_id = $1", UUID(secret.document_id)
        )
    path = f"/v1/documents/{secret.document_id}"
    async with stream(address, dora, f"{path}/events") as lines:
        await asyncio.sleep(0.3)
        await alice.put(f"{path}/access", json={"subjects": []})
        told = [json.loads(line.removeprefix("data: ")) for line in await heard(lines, 4)]
    assert told[0]["state"] == "parsing"
    assert (told[-1]["status"], told[-1]["detail"]) == (404, (await bob.get(path)).json()["detail"])
