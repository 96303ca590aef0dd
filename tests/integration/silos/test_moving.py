"""A tenant moves to another database while it is used, and nothing is lost, twice, or left behind."""

import asyncio
from collections import Counter
from typing import Any

import httpx
import pytest
from silo_scene import SILO, Installation, filled, indexed, rows_in, strangers_in, upload

from knowlog.bootstrap import open_app
from knowlog.database import Database, Scope, mover_session
from knowlog.settings import load_settings

pytestmark = pytest.mark.usefixtures("workers")


class Load:
    """Somebody who writes and somebody who reads, without a pause, until they are told to stop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.stop = asyncio.Event()
        self.acknowledged: list[str] = []
        self.refused: list[float] = []
        self.reads = Counter[int]()

    async def write(self) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            answer = await upload(
                self.client, f"Note {number} about the loading dock.", external_id=f"n{number}"
            )
            while answer.status_code == 503:
                self.refused.append(asyncio.get_running_loop().time())
                assert int(answer.headers["retry-after"]) >= 1
                await asyncio.sleep(0.02)
                answer = await upload(
                    self.client, f"Note {number} about the loading dock.", external_id=f"n{number}"
                )
            assert answer.status_code in {200, 202}, answer.text
            self.acknowledged.append(answer.json()["items"][0]["document_id"])

    async def read(self) -> None:
        while not self.stop.is_set():
            answer = await self.client.post(
                "/v1/search", json={"question": "warranty", "collections": ["handbook"]}
            )
            self.reads[answer.status_code if answer.json().get("passages") else 0] += 1
            await asyncio.sleep(0.01)


async def log_of(client: httpx.AsyncClient) -> list[str]:
    """The ids of all events of a tenant, as whoever follows them sees them."""
    ids: list[str] = []
    behind: dict[str, Any] = {"since": "beginning"}
    while True:
        asked = {"order": "oldest", "limit": 100, **behind}
        page = (await client.get("/v1/events", params=asked)).json()["items"]
        if not page:
            return ids
        ids += [each["id"] for each in page]
        behind = {"since": page[-1]["cursor"]}


async def test_nothing_is_lost_while_a_tenant_moves_under_load(
    installation: Installation, silo: Database, environ: dict[str, str]
) -> None:
    """Every search is answered, every acknowledged document is there once, the log has no gap; another process that knew
    the old place goes to the new one; the old place has no row, and the silo none of others.
    """
    tenant_id, owner = await installation.tenant("alice")
    await filled(owner, "The warranty lasts 24 months.")
    async with open_app(load_settings(environ)) as other:
        scope = Scope(tenant_id, "test")
        async with other.database.transaction(scope) as connection:
            assert await connection.fetchval("select count(*) from documents") == 1
        load = Load(owner)
        tasks = [asyncio.create_task(load.write()), asyncio.create_task(load.read())]
        await asyncio.sleep(0.5)
        before = await log_of(owner)
        move = await installation.moved(tenant_id)
        await asyncio.sleep(0.5)
        load.stop.set()
        await asyncio.gather(*tasks)
        async with other.database.transaction(scope) as connection:
            there = {str(row[0]) for row in await connection.fetch("select document_id from documents")}
    assert move["step"] == "done", move
    assert load.reads.keys() == {200}
    assert len(load.acknowledged) == len(set(load.acknowledged))
    assert set(load.acknowledged) <= there
    for document_id in load.acknowledged:
        await indexed(owner, document_id)
    after = await log_of(owner)
    assert (after[: len(before)], len(set(after))) == (before, len(after))
    assert await rows_in(installation.home, tenant_id) == {}
    assert await strangers_in(silo) == {}
    assert 0 < move["held_s"] < 60


async def test_a_move_that_is_given_up_leaves_nothing(installation: Installation, silo: Database) -> None:
    """The tenant stays where it was and is written; the silo has no row of it. A second move meanwhile is refused."""
    tenant_id, owner = await installation.tenant("alice")
    async with mover_session(installation.home.owner_url, tenant_id, "rows"):  # the worker cannot be quicker
        await installation.asked(tenant_id, SILO)
        twice = await installation.operator.post(f"/v1/tenants/{tenant_id}/move", json={"to": SILO})
        cancelled = await installation.operator.delete(f"/v1/tenants/{tenant_id}/move")
    move = await installation.over(tenant_id)
    assert (twice.status_code, cancelled.is_success) == (409, True)
    assert move["step"] == "given up"
    assert await rows_in(silo, tenant_id) == {}
    assert (await upload(owner, "It goes on here.")).status_code == 202


@pytest.mark.parametrize("name", ["nowhere", "home"])
async def test_a_move_to_where_it_cannot_go_is_refused(installation: Installation, name: str) -> None:
    """A silo that is not in the settings, and the place where the tenant is: one sentence, and nothing has changed."""
    tenant_id, _ = await installation.tenant("alice")
    answer = await installation.operator.post(f"/v1/tenants/{tenant_id}/move", json={"to": name})
    assert answer.status_code in {409, 422}
    assert (await installation.operator.get(f"/v1/tenants/{tenant_id}/move")).status_code == 404
