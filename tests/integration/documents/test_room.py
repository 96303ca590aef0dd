"""Uploads are refused while too many documents wait, or the disk is full."""

from pathlib import Path

import pytest

from knowlog.database import Database, Scope
from knowlog.documents import DocumentsSettings, Profile, Receiver, Upload, create_collection, open_blob_store
from knowlog.kernel.errors import LimitReached, StorageFull


async def test_too_many_waiting_documents_are_told(
    database: Database, tenant: Scope, other_tenant: Scope, tmp_path: Path
) -> None:
    """Of the tenant's own; another one uploads."""
    settings = DocumentsSettings(max_waiting=2)
    receiver = Receiver(open_blob_store(settings, tmp_path), settings)
    await receiver.room.require(database, tenant)
    async with database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "c", Profile())
        await receiver.receive(connection, tenant, "c", [Upload(n, n, b"x") for n in "abc"])
    later = Receiver(open_blob_store(settings, tmp_path), settings)
    with pytest.raises(LimitReached, match="2 documents waiting") as refused:
        await later.room.require(database, tenant)
    assert refused.value.extra["retry_after_s"] > 0
    await later.room.require(database, other_tenant)


async def test_a_full_disk_is_told(database: Database, tenant: Scope, tmp_path: Path) -> None:
    """Before it is quite full."""
    settings = DocumentsSettings(min_free_mb=10**9)
    receiver = Receiver(open_blob_store(settings, tmp_path), settings)
    with pytest.raises(StorageFull, match="MB free"):
        await receiver.room.require(database, tenant)
