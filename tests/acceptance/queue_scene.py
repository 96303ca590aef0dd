"""A knowlog with a queue of some kind, documents that come in all the time, and the count of what became of them."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import httpx

from knowlog.cli.processes import Stack, open_stack
from knowlog.database import Database, Scope, open_database

VERSIONS = 3
CALM_S = 300
_COUNTS = """
    with received as (
        select subject, state, position, finished_at,
               lag(finished_at) over (partition by subject order by position) as before
        from events where type = 'document.received'),
    indexed as (
        select subject, (data ->> 'version')::int as version,
               lag((data ->> 'version')::int) over (partition by subject order by xid, position) as before
        from events where type = 'document.indexed')
    select (select count(*) from received where state = 'done') as handled,
           (select count(*) from documents where version = $1 and latest = $1) as complete,
           (select count(distinct document_id) from chunks) as readable,
           (select count(*) from chunks) as chunks, (select count(*) from vectors) as vectors,
           (select count(*) from (select from indexed group by subject, version having count(*) > 1) r) as twice,
           (select count(*) from events where state in ('waiting', 'running', 'failed', 'cancelled')) as unfinished,
           (select count(*) from received where before > finished_at)
           + (select count(*) from indexed where before >= version) as out_of_order"""


@dataclass
class Scene:
    """A tenant of a running knowlog, and how many uploads were acknowledged."""

    stack: Stack
    database: Database
    scope: Scope
    http: httpx.AsyncClient
    documents: int = 0
    acknowledged: int = 0
    refused: list[str] = field(default_factory=list)

    async def upload(self) -> None:
        """Send one more document, in versions that follow each other. Whatever is not acknowledged is noted."""
        self.documents += 1
        for version in range(1, VERSIONS + 1):
            answer = await self.http.post(
                "/v1/collections/notes/documents", params={"external_id": f"note-{self.documents}"},
                content=f"Note {self.documents}, version {version}: zebra{self.documents}.".encode(),
                headers={"Content-Type": "text/plain"},
            )  # fmt: skip
            if answer.status_code >= 400:
                self.refused.append(answer.text)
            self.acknowledged += answer.status_code < 400

    @asynccontextmanager
    async def uploading(self) -> AsyncIterator[None]:
        """Documents come in during the block, ten a second at most."""
        ending = asyncio.Event()

        async def go_on() -> None:
            while not ending.is_set():
                await self.upload()
                await asyncio.sleep(0.1)

        task = asyncio.create_task(go_on())
        try:
            yield
        finally:
            ending.set()
            await task

    async def value(self, sql: str, *arguments: object) -> int:
        """One number from the tenant's rows."""
        async with self.database.transaction(self.scope) as connection:
            return int(await connection.fetchval(sql, *arguments))

    async def handled(self, process_id: int | None = None) -> int:
        """How many uploads have been handled; by this worker alone, if its process is named."""
        return await self.value(
            "select count(*) from events where type = 'document.received' and state = 'done' and worker like $1",
            f"%-{process_id}-%" if process_id else "%",
        )  # fmt: skip

    async def require_each_once(self) -> None:
        """Wait for calm; then every acknowledged upload was handled once, in order, and nothing is left over."""
        await until(self._is_calm, CALM_S)
        async with self.database.transaction(self.scope) as connection:
            found = dict(await connection.fetchrow(_COUNTS, VERSIONS))
        each = dict.fromkeys(("complete", "readable", "chunks", "vectors"), self.documents)
        none = dict.fromkeys(("twice", "unfinished", "out_of_order"), 0)
        assert self.refused == []
        assert found == {"handled": self.acknowledged, **each, **none}

    async def _is_calm(self) -> bool:
        return not await self.value("select count(*) from events where state in ('waiting', 'running')")


async def until(condition, timeout_s: float = 120) -> None:
    """Wait until an awaited condition holds."""
    async with asyncio.timeout(timeout_s):
        while not await condition():
            await asyncio.sleep(0.1)


@asynccontextmanager
async def open_scene(settings: Mapping[str, str]) -> AsyncIterator[Scene]:
    """A knowlog of real processes with these settings, and a tenant in it."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-queue-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        environ = {"KNOWLOG_DATA_DIR": folder, "KNOWLOG_API_PORT": "0", "KNOWLOG_EMBEDDING_MODEL": "fake"}
        async with open_stack({**os.environ, **environ, **settings}) as stack:
            database = await open_database(stack.settings.database, stack.settings.data_dir)
            made, http = await _tenant(stack)
            try:
                yield Scene(stack, database, Scope(UUID(made["tenant"]["tenant_id"]), "key:alice"), http)
            finally:
                await http.aclose()
                await database.close()


async def _tenant(stack: Stack) -> tuple[dict, httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=10) as operator:
        head = {"Authorization": f"Bearer {stack.operator_key}"}
        made = (await operator.post("/v1/tenants", json={"name": "alice"}, headers=head)).json()
    head = {"Authorization": f"Bearer {made['secret']}"}
    http = httpx.AsyncClient(base_url=stack.url, timeout=10, headers=head)
    assert (await http.post("/v1/collections", json={"name": "notes"})).status_code < 300
    return made, http
