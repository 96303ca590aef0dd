"""Every blob store keeps the port's promises."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from knowlog.documents import BlobStore, DocumentsSettings, in_file, open_blob_store
from knowlog.documents.adapters.s3 import S3BlobStore
from knowlog.kernel.errors import Misconfigured, NotFound, Unavailable
from small_disk import small_disk


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    """A server on this machine that speaks S3, with one bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="originals")
    yield endpoint
    server.stop()


@pytest.fixture(params=["directory", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path, s3_endpoint: str, monkeypatch) -> BlobStore:
    """One store after the other, opened as an installation opens it."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": s3_endpoint, "AWS_ALLOW_HTTP": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    place = "directory" if request.param == "directory" else f"s3://originals/{tmp_path.name}"
    return open_blob_store(DocumentsSettings(blobs=place), tmp_path)


async def test_what_was_put_comes_back(blobs: BlobStore) -> None:
    """The same bytes, whatever they are."""
    content = bytes(range(256)) * 100
    await blobs.put({"t/d/1": content, "t/d/2": b""})
    assert await blobs.get("t/d/1") == content
    assert await blobs.get("t/d/2") == b""


async def test_bytes_in_a_file_come_back(blobs: BlobStore) -> None:
    """As often as they are put: a request may be tried again."""
    content = bytes(range(256)) * 50_000
    with TemporaryFile() as file:
        file.write(content)
        held = in_file(file)
        await blobs.put({"t/d/1": held})
        await blobs.put({"t/d/2": held})
    assert (held.size_bytes, held.sha256) == (len(content), hashlib.sha256(content).digest())
    assert await blobs.get("t/d/1") == await blobs.get("t/d/2") == content


async def test_an_absent_key_is_not_found(blobs: BlobStore) -> None:
    """The error says that the original is gone, not where it would lie."""
    with pytest.raises(NotFound):
        await blobs.get("t/d/absent")


async def test_bytes_come_in_pieces(blobs: BlobStore) -> None:
    """None is larger than was asked for; together they are the whole, or the span."""
    content = bytes(range(256)) * 100
    await blobs.put({"t/d/1": content, "t/d/2": b""})
    pieces = [piece async for piece in blobs.stream("t/d/1", 10_000)]
    assert [len(piece) for piece in pieces] == [10_000, 10_000, 5_600]
    assert b"".join(pieces) == content
    assert b"".join([piece async for piece in blobs.stream("t/d/1", 7, (250, 300))]) == content[250:300]
    assert [piece async for piece in blobs.stream("t/d/1", 7, (25_599, 99_999))] == [content[-1:]]
    assert [piece async for piece in blobs.stream("t/d/2", 10)] == []


async def test_no_piece_of_an_absent_key_comes(blobs: BlobStore) -> None:
    """The error comes before the first piece."""
    with pytest.raises(NotFound):
        await anext(blobs.stream("t/d/absent", 10))


async def test_deleting_removes_and_may_be_repeated(blobs: BlobStore) -> None:
    """A second deletion of the same key is no error."""
    await blobs.put({"t/d/1": b"x"})
    await blobs.delete(["t/d/1", "t/d/never"])
    await blobs.delete(["t/d/1"])
    with pytest.raises(NotFound):
        await blobs.get("t/d/1")


async def test_a_check_leaves_nothing_behind(blobs: BlobStore) -> None:
    """`knowlog doctor` writes, reads and removes."""
    await blobs.put({"t/d/1": b"x"})
    await blobs.check()
    assert [key async for page in blobs.keys("") for key in page] == ["t/d/1"]


async def test_a_key_cannot_leave_the_directory(tmp_path: Path) -> None:
    """A forged key opens no other file."""
    blobs = open_blob_store(DocumentsSettings(), tmp_path)
    with pytest.raises(ValueError, match="not a blob key"):
        await blobs.get("../../etc/passwd")


async def test_a_dead_s3_is_unavailable(monkeypatch) -> None:
    """The sentence names the setting."""
    blobs = S3BlobStore(
        "s3://bucket", endpoint="http://127.0.0.1:9", region="us-east-1", access_key_id="x", secret_access_key="y",
        client_options={"allow_http": True}, retry_config={"max_retries": 0},
    )  # fmt: skip
    with pytest.raises(Unavailable, match="KNOWLOG_DOCUMENTS_BLOBS"):
        await blobs.put({"a": b"b"})


def test_a_place_that_is_none_is_told() -> None:
    """s3:// needs a bucket."""
    with pytest.raises(Misconfigured, match="s3://bucket"):
        open_blob_store(DocumentsSettings(blobs="s3://"), Path("/tmp"))


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 kB."""
    with small_disk(tmp_path / "disk", 64) as disk:
        yield disk


async def test_a_full_disk_keeps_nothing_half_written(full_disk: Path) -> None:
    """The upload is refused in words, and no partial file stays."""
    blobs = open_blob_store(DocumentsSettings(blobs=str(full_disk / "blobs")), full_disk)
    with pytest.raises(Unavailable, match="disk of the blob store is full"):
        await blobs.put({"t/d/1": b"x" * 200_000})
    assert [path for path in full_disk.rglob("*") if path.is_file()] == []


async def test_a_disk_that_fills_in_the_middle_of_several_keeps_none_of_them(full_disk: Path) -> None:
    """What fitted belongs to an upload that was refused: it would fill the disk for an hour. What was there stays."""
    blobs = open_blob_store(DocumentsSettings(blobs=str(full_disk / "blobs")), full_disk)
    await blobs.put({"t/d/1": b"x"})
    with pytest.raises(Unavailable, match="nothing was kept"):
        await blobs.put({"t/d/1": b"x", **{f"t/e{number}/1": b"x" * 20_000 for number in range(9)}})
    assert [path.name for path in full_disk.rglob("*") if path.is_file()] == ["1"]
    assert await blobs.get("t/d/1") == b"x"


async def test_keys_are_listed_by_folder_and_age(blobs: BlobStore) -> None:
    """What was just put is no older than an hour."""
    await blobs.put({"t/d/1": b"x", "u/d/1": b"y"})
    assert {key async for page in blobs.keys("t") for key in page} == {"t/d/1"}
    assert [key async for page in blobs.keys("t", older_than_s=3600) for key in page] == []
