"""A source of Alice's, and what tests of sources do with it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from producers import Producer

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.sources import DeadLetter, Source, get_source, list_dead_letters
from servers import Running


def environ_of(server: Running, folder: Path) -> dict[str, str]:
    """The settings of a process that reads sources from this server."""
    environ = {
        "KNOWLOG_DATA_DIR": str(folder),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        f"KNOWLOG_SOURCES_{server.kind.upper()}_URL": server.url,
        "KNOWLOG_SOURCES_MAX_MESSAGE_MB": "1",
        "KNOWLOG_SOURCES_LEASE_S": "3",
    }
    if url := os.environ.get("KNOWLOG_TEST_DATABASE_URL"):
        environ["KNOWLOG_DATABASE_URL"] = url
    return environ


@dataclass
class Scene:
    """A source of Alice's, and what a test does with it."""

    app: App
    scope: Scope
    kind: str
    topic: str
    producer: Producer
    source: Source

    def event(self, message_id: str, kind: str = "document.submitted", **data: Any) -> dict[str, Any]:
        """A CloudEvent as a program of Alice's writes it."""
        return {
            "specversion": "1.0", "id": message_id, "source": "urn:shop", "type": kind,
            "tenantid": str(self.scope.tenant_id), "data": data,
        }  # fmt: skip

    async def send(self, value: Any, key: str = "", **headers: str) -> None:
        """Publish a JSON value, or bytes as they are."""
        body = value if isinstance(value, bytes) else orjson.dumps(value)
        await self.producer.send(self.topic, body, key, headers)

    async def submit(self, message_id: str, external_id: str, text: str) -> None:
        """Publish a document with a text."""
        await self.send(self.event(message_id, external_id=external_id, text=text), external_id)

    async def now(self) -> Source:
        """The source as it is."""
        async with self.app.database.transaction(self.scope) as connection:
            return await get_source(connection, self.scope, self.source.source_id)

    async def dead(self) -> list[DeadLetter]:
        """Its dead letters, newest first."""
        async with self.app.database.transaction(self.scope) as connection:
            return await list_dead_letters(connection, self.scope)

    async def texts(self) -> dict[str, str]:
        """What was received: external id -> content of the newest version."""
        async with self.app.database.transaction(self.scope) as connection:
            rows = await connection.fetch(
                "select d.external_id, v.blob from documents d join versions v on v.tenant_id = d.tenant_id"
                " and v.document_id = d.document_id and v.version = d.latest where d.tenant_id = tenant()"
            )
        return {row["external_id"]: (await self.app.blobs.get(row["blob"])).decode() for row in rows}

    async def versions(self) -> dict[str, int]:
        """External id -> number of the newest version."""
        async with self.app.database.transaction(self.scope) as connection:
            rows = await connection.fetch(
                "select external_id, latest from documents where tenant_id = tenant()"
            )
        return {row["external_id"]: row["latest"] for row in rows}


MakeScene = Callable[..., Any]


async def until(condition: Callable[[], Any], timeout_s: float = 120) -> Any:
    """Wait until what is awaited is true; returns it."""
    deadline = monotonic() + timeout_s
    while not (found := await condition()):
        assert monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.1)
    return found
