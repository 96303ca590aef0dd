"""What the tests of the API do again and again."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from fastapi import FastAPI

from at_work import at_work
from knowlog.database import Database, Scope

Client = httpx.AsyncClient
working = at_work
"""Let a worker take jobs meanwhile."""
MakeClient = Callable[..., Awaitable[Client]]


def client_of(api: FastAPI, secret: str | None) -> Client:
    """A client of the application with a key."""
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    transport = httpx.ASGITransport(app=api, raise_app_exceptions=False)
    return Client(transport=transport, base_url="http://knowlog.test", headers=headers, timeout=30)


def scope_of(client: Client, path: str, size_bytes: int, **headers: str) -> dict[str, Any]:
    """A client's POST of JSON as the application gets it, to play a client that goes away."""
    given = {
        "host": "knowlog.test",
        "content-type": "application/json",
        "content-length": str(size_bytes),
        "authorization": client.headers["authorization"],
        **headers,
    }
    return {
        "type": "http", "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "scheme": "http", "client": ("127.0.0.1", 5), "server": ("knowlog.test", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip


async def upload(client: Client, text: str, **described: object) -> str:
    """Upload a text into the handbook; returns the document's id."""
    answer = await client.post("/v1/collections/handbook/documents", json={"text": text, **described})
    assert answer.status_code in {200, 202}, answer.text
    return str(answer.json()["items"][0]["document_id"])


async def settled(client: Client, document_id: str) -> dict[str, object]:
    """Wait until a document is indexed or has failed."""
    for _ in range(2400):  # two minutes: other tests share the machine
        document: dict[str, object] = (await client.get(f"/v1/documents/{document_id}")).json()
        if document["state"] in {"indexed", "failed"}:
            return document
        await asyncio.sleep(0.05)
    raise AssertionError(f"never settled: {document}")


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, object]:
    """Check that an answer is a whole problem document; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, object] = answer.json()
    assert (found["status"], found["code"]) == (status, code)
    assert found["request_id"] == answer.headers["x-request-id"]
    assert str(found["detail"]).endswith(".")
    return found


def events_of(stream: str) -> list[tuple[str, dict[str, Any]]]:
    """The (name, data) of the events in a stream; comments are left out."""
    events = []
    for block in stream.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


@asynccontextmanager
async def nothing_can_be_written(database: Database, scope: Scope, table: str) -> AsyncIterator[None]:
    """A full disk, as the rows of one tenant in one table see it; they were last used a while ago."""
    async with database.owner() as owner:
        await owner.execute(
            f"update knowlog.{table} set last_used_at = now() - interval '1 hour' where tenant_id = '{scope.tenant_id}';"
            "create function knowlog.full_disk() returns trigger language plpgsql as"
            " $$ begin raise 'No space left on device' using errcode = 'disk_full'; end $$;"
            f"create trigger full_disk before update on knowlog.{table} for each row"
            f" when (old.tenant_id = '{scope.tenant_id}') execute function knowlog.full_disk()"
        )
    try:
        yield
    finally:
        async with database.owner() as owner:
            await owner.execute("drop function knowlog.full_disk() cascade")
