"""Blobs in a directory."""

import asyncio
import contextlib
import errno
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from knowlog.kernel.errors import NotFound, Unavailable

_PROBE = "probe/probe/probe"


class DirectoryBlobStore:
    """One file a blob, written beside its place, synced and renamed, so that it is whole or absent."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        """Keep the bytes durably."""
        await asyncio.to_thread(self._put, blobs)

    async def get(self, key: str) -> bytes:
        """Return the bytes."""
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as error:
            raise NotFound("The original file is not in the blob store any more.") from error
        except OSError as error:
            raise _unavailable(error) from error

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove the bytes, and folders that become empty."""
        await asyncio.to_thread(self._delete, list(keys))

    async def check(self) -> None:
        """Write, read and remove a probe."""
        await self.put({_PROBE: b"probe"})
        await self.get(_PROBE)
        await self.delete([_PROBE])

    def _put(self, blobs: Mapping[str, bytes]) -> None:
        try:
            folders = {self._write(self._path(key), content) for key, content in blobs.items()}
            for folder in {above for written in folders for above in (written, *written.parents)}:
                if folder.is_relative_to(self._root):
                    _sync_folder(folder)
        except OSError as error:
            raise _unavailable(error) from error

    def _write(self, path: Path, content: bytes) -> Path:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        try:
            with partial.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return path.parent

    def _delete(self, keys: list[str]) -> None:
        for key in keys:
            path = self._path(key)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise _unavailable(error) from error
            with contextlib.suppress(OSError):
                path.parent.rmdir()

    def _path(self, key: str) -> Path:
        path = self._root / key
        if ".." in path.parts or not path.is_relative_to(self._root):
            raise ValueError(f"not a blob key: {key}")
        return path


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            "The disk of the blob store is full; nothing was kept. Free space on it and try again."
        )
    return Unavailable(
        f"The blob store cannot be used: {error.strerror or error}. Check its folder and permissions."
    )
