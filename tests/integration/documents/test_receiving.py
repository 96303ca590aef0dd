"""Documents are taken in whole, once, by identity."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from knowlog.bus import list_jobs
from knowlog.database import Database, Scope
from knowlog.documents import (
    Content,
    DocumentsSettings,
    Profile,
    Received,
    Receiver,
    Upload,
    create_collection,
    get_document,
    open_blob_store,
    receiving,
)
from knowlog.documents.adapters.directory import DirectoryBlobStore
from knowlog.kernel.errors import Invalid, NotFound


@pytest.fixture
async def receive(database: Database, tenant: Scope, tmp_path: Path):
    blobs = open_blob_store(DocumentsSettings(), tmp_path)
    receiver = Receiver(blobs, DocumentsSettings())
    async with database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", Profile())

    async def call(*uploads: Upload) -> list[Received]:
        async with database.transaction(tenant) as connection:
            return await receiver.receive(connection, tenant, "notes", uploads)

    return call


async def test_new_document_gets_version_one_and_a_job(receive) -> None:
    """What came in is there, with a job to watch."""
    (received,) = await receive(Upload("a", "a.txt", b"hello"))
    assert (received.outcome, received.document.latest, received.document.version) == ("created", 1, None)
    assert received.job_id is not None


class SlowDisk(DirectoryBlobStore):
    """A store that takes its time, as one far away does with a large file."""

    async def put(self, blobs: Mapping[str, Content]) -> None:
        await asyncio.sleep(2.5)
        await super().put(blobs)


async def test_a_slow_store_does_not_cost_the_transaction(
    database, tenant, tmp_path: Path, monkeypatch
) -> None:
    """PostgreSQL ends transactions that stand still for longer than it takes here."""
    monkeypatch.setattr(receiving, "_AWAKE_S", 0.2)
    receiver = Receiver(SlowDisk(tmp_path), DocumentsSettings())
    async with database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", Profile())
    async with database.transaction(tenant) as connection:
        await connection.execute("set local idle_in_transaction_session_timeout = '1s'")
        (received,) = await receiver.receive(connection, tenant, "notes", [Upload("a", "a.txt", b"hello")])
    assert received.outcome == "created"


async def test_same_bytes_change_nothing(receive) -> None:
    """Sending a file twice leaves one version and one job."""
    await receive(Upload("a", "a.txt", b"hello"))
    (again,) = await receive(Upload("a", "a.txt", b"hello"))
    assert (again.outcome, again.job_id, again.document.latest) == ("unchanged", None, 1)


async def test_other_bytes_make_a_new_version(receive) -> None:
    """New content under an old identity becomes version 2, with the metadata kept."""
    await receive(Upload("a", "a.txt", b"hello", metadata={"year": 2024}))
    (renewed,) = await receive(Upload("a", "a.txt", b"hello again"))
    assert (renewed.outcome, renewed.document.latest, renewed.document.metadata) == (
        "updated",
        2,
        {"year": 2024},
    )


async def test_same_bytes_with_other_metadata_relabel(receive) -> None:
    """Metadata given with known bytes is taken over without indexing again."""
    await receive(Upload("a", "a.txt", b"hello", metadata={"year": 2024}))
    (again,) = await receive(Upload("a", "a.txt", b"hello", metadata={"year": 2025}))
    assert (again.outcome, again.job_id, again.document.metadata) == ("relabelled", None, {"year": 2025})
    (third,) = await receive(Upload("a", "a.txt", b"hello", metadata={"year": 2025}))
    assert third.outcome == "unchanged"


async def test_failed_bytes_that_come_again_are_told_and_not_tried(
    receive, database: Database, tenant: Scope
) -> None:
    """No new version and no job, however often; as another kind of file they are worth another try."""
    (first,) = await receive(Upload("a", "a.pdf", b"no PDF"))
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set state = 'failed', reason = 'No.' where tenant_id = tenant() and document_id = $1",
            first.document.document_id,
        )
    (again,) = await receive(Upload("a", "a.pdf", b"no PDF"))
    assert (again.outcome, again.job_id, again.document.latest) == ("unchanged", None, 1)
    assert (again.document.state, again.document.reason) == ("failed", "No.")
    (other,) = await receive(Upload("a", "a.txt", b"no PDF"))
    assert (other.outcome, other.document.latest, other.document.state) == ("updated", 2, "received")


async def test_batch_is_all_or_nothing(receive, database: Database, tenant: Scope) -> None:
    """One bad upload refuses the whole request, and nothing of it is kept."""
    with pytest.raises(Invalid, match="empty"):
        await receive(Upload("a", "a.txt", b"hello"), Upload("b", "b.txt", b""))
    async with database.transaction(tenant) as connection:
        assert await list_jobs(connection) == []


async def test_same_identity_twice_in_a_request_is_refused(receive) -> None:
    """Nobody can say which of the two was meant."""
    with pytest.raises(Invalid, match="twice"):
        await receive(Upload("a", "a.txt", b"1"), Upload("a", "a.txt", b"2"))


async def test_stranger_sees_no_document(receive, database: Database, other_tenant: Scope) -> None:
    """Another tenant's document is absent."""
    (received,) = await receive(Upload("a", "a.txt", b"hello"))
    async with database.transaction(other_tenant) as connection:
        with pytest.raises(NotFound):
            await get_document(connection, other_tenant, received.document.document_id)
