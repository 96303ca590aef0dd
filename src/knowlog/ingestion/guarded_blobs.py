"""A blob store behind its guard: one that is down or slow is refused at once, instead of holding up whoever asks.

There is no lower rung: bytes are kept by this store or not at all. Answers need none of them.
"""

from collections.abc import AsyncIterator, Iterable, Mapping

from knowlog.documents import BlobStore, Content
from knowlog.resilience import Policy, guard_of

POLICY = Policy(timeout_s=None, slow_s=30, at_once=256, attempts=1)
"""Its client tries again by itself and gives up in time; an upload may be large, so that the guard cuts nothing off."""


class GuardedBlobs:
    """Is a BlobStore, and asks another one."""

    def __init__(self, blobs: BlobStore, name: str) -> None:
        self._blobs = blobs
        self.guard = guard_of(name, POLICY)

    async def put(self, blobs: Mapping[str, Content]) -> None:
        """See BlobStore."""
        await self.guard.run(self._blobs.put, blobs)

    async def get(self, key: str) -> bytes:
        """See BlobStore."""
        return await self.guard.run(self._blobs.get, key)

    async def stream(
        self, key: str, piece_bytes: int, span: tuple[int, int] | None = None
    ) -> AsyncIterator[bytes]:
        """See BlobStore. Each piece is one call; between two, none is under way."""
        pieces = self._blobs.stream(key, piece_bytes, span)
        while (piece := await self.guard.run(_next, pieces)) is not None:
            yield piece

    async def delete(self, keys: Iterable[str]) -> None:
        """See BlobStore."""
        await self.guard.run(self._blobs.delete, keys)

    async def keys(self, prefix: str = "", older_than_s: float = 0) -> AsyncIterator[list[str]]:
        """See BlobStore. A listing of many thousands is slow by nature, and not held against the store."""
        async for page in self._blobs.keys(prefix, older_than_s):
            yield page

    async def require_room(self) -> None:
        """See BlobStore."""
        await self._blobs.require_room()

    async def check(self) -> None:
        """See BlobStore. Not guarded: it is to find out how the store is."""
        await self._blobs.check()


async def _next(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
