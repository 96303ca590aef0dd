"""Blobs in a directory."""

import asyncio
import contextlib
import errno
import os
import shutil
import stat
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

from knowlog.documents.content import Content, pieces_of
from knowlog.kernel.errors import NotFound, StorageFull, Unavailable

_PROBE = "probe/probe/probe"


class DirectoryBlobStore:
    """One file a blob, written beside its place, synced and renamed, so that it is whole or absent."""

    def __init__(self, root: Path, min_free_bytes: int = 0) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes

    async def put(self, blobs: Mapping[str, Content]) -> None:
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

    async def stream(
        self, key: str, piece_bytes: int, span: tuple[int, int] | None = None
    ) -> AsyncIterator[bytes]:
        """Yield the bytes, or those of a span, in pieces."""
        path = self._path(key)
        try:
            with await asyncio.to_thread(open, path, "rb") as file:
                start, end = span or (0, os.fstat(file.fileno()).st_size)
                file.seek(start)
                while piece := await asyncio.to_thread(file.read, min(piece_bytes, end - start)):
                    start += len(piece)
                    yield piece
        except FileNotFoundError as error:
            raise NotFound("The original file is not in the blob store any more.") from error
        except OSError as error:
            raise _unavailable(error) from error

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove the bytes, and folders that become empty."""
        await asyncio.to_thread(self._delete, list(keys))

    async def keys(self, prefix: str = "", older_than_s: float = 0) -> AsyncIterator[list[str]]:
        """List the keys, folder by folder."""
        top = self._path(prefix) if prefix else self._root
        for folder in await asyncio.to_thread(lambda: sorted(top.glob("*"))):
            yield await asyncio.to_thread(self._old_keys, folder, time.time() - older_than_s)

    def _old_keys(self, folder: Path, before: float) -> list[str]:
        found = []
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode) and status.st_mtime <= before:
                    found.append(str(path.relative_to(self._root)))
        return found

    async def require_room(self) -> None:
        """Look how much is free on the disk."""
        there = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        free = shutil.disk_usage(there).free
        if free < self._min_free_bytes:
            raise StorageFull(
                f"The disk of the blob store has {free // 2**20} MB free, which is too little for more documents. "
                "Nothing was stored; send this again when the operator has made room.",
                retry_after_s=60,
            )

    async def check(self) -> None:
        """Write, read and remove a probe."""
        await self.put({_PROBE: b"probe"})
        await self.get(_PROBE)
        await self.delete([_PROBE])

    def _put(self, blobs: Mapping[str, Content]) -> None:
        new: list[str] = []
        try:
            folders = set()
            for key, content in blobs.items():
                is_new = not self._path(key).exists()
                folders.add(self._write(self._path(key), content))
                new += [key] if is_new else []
            for folder in {above for written in folders for above in (written, *written.parents)}:
                if folder.is_relative_to(self._root):
                    _sync_folder(folder)
        except OSError as error:
            with contextlib.suppress(Unavailable):  # what was new before the failure is nobody's
                self._delete(new)
            raise _unavailable(error) from error

    def _write(self, path: Path, content: Content) -> Path:
        for folder in (
            self._root,
            path.parent.parent,
            path.parent,
        ):  # parents of a mkdir get the default mode
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        try:
            with open(partial, "wb", opener=_private) as file:
                file.writelines(pieces_of(content))
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


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


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
