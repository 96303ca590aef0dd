"""Whoever locks several documents does so in one order, so that nobody waits for one who waits for them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest

from knowlog.database import Database, Scope, load_queries
from knowlog.documents import DocumentsSettings, Profile, Receiver, Upload, create_collection, open_blob_store
from knowlog.stores import ChunkRow, DocumentChunks, StoresSettings, VectorRow, index_chunks, open_store

_SQL = load_queries("knowlog.ingestion")
_WAITING = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and backend_type = 'client backend' and datname = current_database()"""


@pytest.fixture
async def receive(database: Database, tenant: Scope, tmp_path: Path):
    """Take documents in, and return their ids."""
    receiver = Receiver(open_blob_store(DocumentsSettings(), tmp_path), DocumentsSettings())
    async with database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", Profile())

    async def call(*uploads: Upload) -> list[UUID]:
        async with database.transaction(tenant) as connection:
            received = await receiver.receive(connection, tenant, "notes", uploads)
        return [each.document.document_id for each in received]

    return call


@asynccontextmanager
async def held(database: Database, scope: Scope, document: UUID) -> AsyncIterator[None]:
    """Somebody works on a document meanwhile."""
    async with database.transaction(scope) as connection:
        await connection.execute("select from documents where document_id = $1 for no key update", document)
        yield


async def waiting(database: Database, count: int) -> None:
    """Wait until so many wait for a lock."""
    async with database.owner() as owner, asyncio.timeout(20):
        while await owner.fetchval(_WAITING) < count:
            await asyncio.sleep(0.02)


async def test_documents_that_come_again_while_they_are_indexed(database, tenant, receive) -> None:
    """Their names say nothing of the order in which they came first."""
    names = ("b", "a")
    first, last = await receive(*(Upload(name, f"{name}.txt", b"old") for name in names))
    assert first < last

    async def index() -> None:
        async with database.transaction(tenant) as connection:
            await connection.fetch(_SQL["lock_documents"], [first, last])

    async with asyncio.TaskGroup() as both, held(database, tenant, last):
        both.create_task(receive(*(Upload(name, f"{name}.txt", b"new") for name in names)))
        await waiting(database, 1)
        both.create_task(index())
        await waiting(database, 2)


async def test_vectors_that_are_made_anew_while_documents_are_indexed(database, tenant, receive) -> None:
    """A chunk's number says nothing of the order in which its document came."""
    documents = sorted(await receive(Upload("a", "a.txt", b"old"), Upload("b", "b.txt", b"old")))
    store = open_store(StoresSettings())
    vectors = np.eye(256, dtype=np.float32)[:2]
    chunks = await chunks_of(database, tenant, documents[::-1], vectors)

    async def note() -> None:
        async with database.transaction(tenant) as connection:
            await connection.execute(_SQL["set_states"], documents, [1, 1], "parsing", [1, 1])

    async def rebuild() -> None:
        async with database.transaction(tenant) as connection:
            await connection.fetch(_SQL["hold_chunks"], [row.chunk_id for row in chunks])
            await store.write(connection, tenant.tenant_id, "new", chunks, vectors)

    async with asyncio.TaskGroup() as both, held(database, tenant, documents[0]):
        both.create_task(note())
        await waiting(database, 1)
        both.create_task(rebuild())
        await waiting(database, 2)


async def chunks_of(
    database: Database, scope: Scope, documents: Sequence[UUID], vectors: Any
) -> list[VectorRow]:
    """Give documents a chunk each, in this order."""
    async with database.transaction(scope) as connection:
        collection = await connection.fetchval("select collection_id from collections")
        rows = [DocumentChunks(collection, each, 1, "", [ChunkRow(0, 0, 1, "a")]) for each in documents]
        hashes = [uuid4() for _ in documents]
        await index_chunks(
            connection, open_store(StoresSettings()), scope.tenant_id, "old", rows, vectors, hashes
        )
        found = await connection.fetch("select chunk_id, document_id from chunks order by chunk_id")
    return [VectorRow(row["chunk_id"], collection, row["document_id"], uuid4()) for row in found]
