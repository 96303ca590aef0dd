"""Blobs in S3, or anything that speaks its language, through obstore."""

from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from knowlog.documents.content import Content
from knowlog.kernel import now
from knowlog.kernel.errors import Misconfigured, NotFound, Unavailable

_RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=20)}
"""Longer nobody waits: who is told of it can try again."""


class S3BlobStore:
    """One object a blob. Credentials, region and endpoint come from the usual AWS_* environment."""

    def __init__(self, url: str, **config: Any) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise Misconfigured(
                f"KNOWLOG_DOCUMENTS_BLOBS={url} is no place for blobs. Give s3://bucket/prefix."
            )
        prefix = parts.path.strip("/") or None
        try:
            self._store = S3Store(parts.netloc, prefix=prefix, **{"retry_config": _RETRIES, **config})
        except BaseError as error:
            raise Misconfigured(
                f"The S3 settings cannot be used: {error}. Check the AWS_* variables."
            ) from error

    async def put(self, blobs: Mapping[str, Content]) -> None:
        """Keep the bytes; S3 answers when they are durable."""
        for key, content in blobs.items():
            await self._call(
                obstore.put_async(
                    self._store, key, content if isinstance(content, bytes) else content.pieces()
                )
            )

    async def get(self, key: str) -> bytes:
        """Return the bytes."""
        found = await self._call(obstore.get_async(self._store, key))
        return bytes(await self._call(found.bytes_async()))

    async def stream(
        self, key: str, piece_bytes: int, span: tuple[int, int] | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes, or those of a span; each piece is a request of its own, so that no slow reader holds one."""
        size = (await self._call(obstore.head_async(self._store, key)))["size"]
        start, end = span or (0, size)
        for at in range(start, min(end, size), piece_bytes):
            stop = min(at + piece_bytes, end, size)
            yield bytes(await self._call(obstore.get_range_async(self._store, key, start=at, end=stop)))

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove the bytes."""
        for key in keys:
            try:
                await self._call(obstore.delete_async(self._store, key))
            except NotFound:
                continue

    async def keys(self, prefix: str = "", older_than_s: float = 0) -> AsyncIterator[list[str]]:
        """List the keys, as many at a time as the server gives."""
        before = now() - timedelta(seconds=older_than_s)
        async for page in self._store.list(prefix or None):
            yield [each["path"] for each in page if each["last_modified"] <= before]

    async def require_room(self) -> None:
        """Object stores do not fill up."""

    async def check(self) -> None:
        """Write, read and remove a probe."""
        key = f"probe/{uuid4()}"
        await self.put({key: b"probe"})
        await self.get(key)
        await self.delete([key])

    async def _call(self, call: Any) -> Any:
        try:
            return await call
        except FileNotFoundError as error:
            raise NotFound("The original file is not in the blob store any more.") from error
        except BaseError as error:
            first_line = str(error).strip().splitlines()[0]
            raise Unavailable(
                f"The blob store does not answer: {first_line}. Check KNOWLOG_DOCUMENTS_BLOBS and the AWS_*"
                " variables."
            ) from error
