"""A deletion that waits for somebody counts, and removes, what that one has written."""

import asyncio
from uuid import uuid4

import numpy as np
import pytest

from knowlog.database import Database, Scope
from knowlog.documents import DocumentsSettings, Profile, Receiver, Upload, create_collection, open_blob_store
from knowlog.ingestion import delete_document, delete_whole_collection
from knowlog.stores import ChunkRow, DocumentChunks, StoresSettings, index_chunks, open_store

_WAITING = """
    select exists (select from pg_stat_activity
                   where wait_event_type = 'Lock' and backend_type = 'client backend' and datname = current_database())"""


@pytest.fixture
async def receiver(database: Database, tenant: Scope, tmp_path) -> Receiver:
    """Return what takes documents in; there is a collection."""
    async with database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", Profile())
    return Receiver(open_blob_store(DocumentsSettings(), tmp_path), DocumentsSettings())


async def somebody_waits(database: Database) -> None:
    """Wait until somebody waits for a lock."""
    async with database.owner() as owner, asyncio.timeout(20):
        while not await owner.fetchval(_WAITING):
            await asyncio.sleep(0.02)


async def test_a_document_that_is_just_being_indexed(database, tenant, receiver) -> None:
    """Its receipt counts the chunks and vectors that were written while the deletion waited."""
    store = open_store(StoresSettings())
    async with database.transaction(tenant) as connection:
        (sent,) = await receiver.receive(connection, tenant, "notes", [Upload("a", "a.txt", b"a word")])
    document_id = sent.document.document_id
    async with asyncio.TaskGroup() as both, database.transaction(tenant) as connection:
        collection_id = await connection.fetchval(
            "select collection_id from documents where document_id = $1 for update", document_id
        )
        deleting = both.create_task(delete_document(database, store, tenant, document_id))
        await somebody_waits(database)
        rows = [DocumentChunks(collection_id, document_id, 1, "", [ChunkRow(0, 0, 6, "a word")])]
        vector = np.eye(256, dtype=np.float32)[:1]
        await index_chunks(connection, store, tenant.tenant_id, "key", rows, vector, [uuid4()])
    receipt = deleting.result()
    assert (receipt.versions, receipt.chunks, receipt.vectors) == (1, 1, 1)


async def test_a_collection_into_which_a_document_just_comes(database, tenant, receiver) -> None:
    """Its receipt counts the document, and the worker is told of its original bytes."""
    store = open_store(StoresSettings())
    async with asyncio.TaskGroup() as both, database.transaction(tenant) as connection:
        await receiver.receive(connection, tenant, "notes", [Upload("a", "a.txt", b"a word")])
        deleting = both.create_task(delete_whole_collection(database, store, tenant, "notes"))
        await somebody_waits(database)
    assert deleting.result().documents == 1
    async with database.transaction(tenant) as connection:
        told = await connection.fetchval("select data from events where type = 'collection.deleted'")
    assert len(told["blobs"]) == 1
