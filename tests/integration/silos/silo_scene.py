"""What the tests of silos do again and again: calls of tenants, moves, and a look into every table of a database."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
from fastapi import FastAPI

from knowlog.database import Database, raw_session, tables_of

OPERATOR_KEY = "the-operator-of-these-tests"
SILO = "acme"
_PATIENCE_S = 120


def client_of(api: FastAPI, secret: str | None) -> httpx.AsyncClient:
    """A client of the application with a key."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    transport = httpx.ASGITransport(app=api, raise_app_exceptions=False, client=("10.9.8.7", 1234))
    return httpx.AsyncClient(transport=transport, base_url="http://knowlog.test", headers=headers, timeout=60)


@dataclass
class Installation:
    """The application, and who calls it."""

    api: FastAPI
    home: Database
    operator: httpx.AsyncClient
    opened: list[httpx.AsyncClient] = field(default_factory=list)

    async def tenant(self, name: str) -> tuple[UUID, httpx.AsyncClient]:
        """A fresh tenant with a collection "handbook", and its owner."""
        made = (await self.operator.post("/v1/tenants", json={"name": name})).json()
        self.opened.append(client_of(self.api, made["secret"]))
        owner = self.opened[-1]
        assert (await owner.post("/v1/collections", json={"name": "handbook"})).status_code == 201
        return UUID(made["tenant"]["tenant_id"]), owner

    async def asked(self, tenant_id: UUID, to: str) -> None:
        """Ask for a move."""
        answer = await self.operator.post(f"/v1/tenants/{tenant_id}/move", json={"to": to})
        assert answer.status_code == 202, answer.text

    async def moved(self, tenant_id: UUID, to: str = SILO) -> dict[str, Any]:
        """Move a tenant, and wait until it is there."""
        await self.asked(tenant_id, to)
        return await self.over(tenant_id)

    async def over(self, tenant_id: UUID) -> dict[str, Any]:
        """Wait until a move is over."""
        for _ in range(_PATIENCE_S * 20):
            found: dict[str, Any] = (await self.operator.get(f"/v1/tenants/{tenant_id}/move")).json()
            if found["finished_at"]:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"not over: {found}")


async def rows_in(database: Database, tenant_id: UUID) -> dict[str, int]:
    """How many rows of a tenant each table of a database has."""
    return await _counted(database, "tenant_id = $1", tenant_id)


async def strangers_in(database: Database) -> dict[str, int]:
    """How many rows each table of a database has of tenants that do not live there."""
    here = "select t.tenant_id from tenants t"
    return await _counted(database, f"tenant_id not in ({here}) and tenant_id <> $1", UUID(int=0))


async def _counted(database: Database, condition: str, tenant_id: UUID) -> dict[str, int]:
    found = {}
    async with raw_session(database.owner_url) as connection:
        for table in await tables_of(connection):
            query = f"select count(*) from {table.name} where {condition}"
            if count := await connection.fetchval(query, tenant_id):
                found[table.name] = count
    return found


async def upload(client: httpx.AsyncClient, text: str, **described: object) -> httpx.Response:
    """Upload a text into the handbook."""
    return await client.post("/v1/collections/handbook/documents", json={"text": text, **described})


async def indexed(client: httpx.AsyncClient, document_id: str) -> None:
    """Wait until a document answers."""
    for _ in range(_PATIENCE_S * 20):
        document = (await client.get(f"/v1/documents/{document_id}")).json()
        if document["state"] == "indexed":
            return
        assert document["state"] != "failed", document
        await asyncio.sleep(0.05)
    raise AssertionError(document)


async def filled(client: httpx.AsyncClient, text: str) -> str:
    """Upload a text and wait until it answers. Returns the document's id."""
    answer = await upload(client, text)
    assert answer.status_code == 202, answer.text
    document_id = str(answer.json()["items"][0]["document_id"])
    await indexed(client, document_id)
    return document_id


async def found(client: httpx.AsyncClient, words: str) -> set[str]:
    """The documents that a search finds."""
    answer = await client.post(
        "/v1/search", json={"question": words, "collections": ["handbook"], "limit": 50}
    )
    assert answer.status_code == 200, answer.text
    return {each["document_id"] for each in answer.json()["passages"]}
