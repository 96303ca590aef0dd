"""A blob store behind its guard: bytes come through, and one that is dead is refused at once."""

from pathlib import Path

import pytest

from knowlog.documents import DocumentsSettings, open_blob_store
from knowlog.documents.adapters.s3 import S3BlobStore
from knowlog.ingestion import GuardedBlobs
from knowlog.kernel.errors import NotFound, Unavailable
from knowlog.resilience import dependencies, forget_guard


async def test_bytes_come_through(tmp_path: Path) -> None:
    """Whole, in pieces, as a span; and what is absent is no fault of the store."""
    blobs = GuardedBlobs(open_blob_store(DocumentsSettings(), tmp_path), "blob store here")
    await blobs.put({"t/d/1": b"0123456789"})
    assert await blobs.get("t/d/1") == b"0123456789"
    assert [each async for each in blobs.stream("t/d/1", 4, (1, 8))] == [b"1234", b"567"]
    assert [each async for each in blobs.keys("t")] == [["t/d/1"]]
    await blobs.delete(["t/d/1"])
    for _ in range(20):
        with pytest.raises(NotFound):
            await blobs.get("t/d/1")
    assert blobs.guard.breaker.state == "closed"
    await blobs.check()
    forget_guard(blobs.guard)


async def test_a_dead_store_is_refused_at_once() -> None:
    """After ten calls that failed, and the figures show it; a caller does not wait for it any more."""
    dead = S3BlobStore(
        "s3://bucket", endpoint="http://127.0.0.1:9", region="us-east-1", access_key_id="x", secret_access_key="y",
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    blobs = GuardedBlobs(dead, "blob store far away")
    for _ in range(10):
        with pytest.raises(Unavailable, match="KNOWLOG_DOCUMENTS_BLOBS"):
            await blobs.put({"a": b"b"})
    with pytest.raises(Unavailable, match="left alone"):
        await blobs.get("a")
    assert [each.left_alone for each in dependencies() if each.name == "blob store far away"] == [True]
    forget_guard(blobs.guard)
