"""Where original bytes are kept."""

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Protocol

from knowlog.documents.content import Content


class BlobStore(Protocol):
    """Bytes by key. A key is a relative path such as "tenant/document/version"; it is written once and never changed."""

    async def put(self, blobs: Mapping[str, Content]) -> None:
        """Keep the bytes durably: when this returns, they survive a crash. Raises Unavailable."""

    async def get(self, key: str) -> bytes:
        """Return the bytes. Raises NotFound or Unavailable."""

    def stream(self, key: str, piece_bytes: int, span: tuple[int, int] | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes, or those of `span` [start, end), in pieces of at most `piece_bytes`.

        Holds one piece at a time, and nothing open between two for long: a reader may take its time. Raises NotFound
        or Unavailable, NotFound before the first piece also where there are no bytes.
        """
        ...

    async def delete(self, keys: Iterable[str]) -> None:
        """Remove the bytes; a key that is not there is no error. Raises Unavailable."""

    def keys(self, prefix: str = "", older_than_s: float = 0) -> AsyncIterator[list[str]]:
        """List, in portions, the keys that begin with `prefix` (a whole folder) and were put so long ago."""
        ...

    async def require_room(self) -> None:
        """Raise StorageFull when too little is free for more bytes. A store that does not know says nothing."""

    async def check(self) -> None:
        """Write, read and remove a probe. Raises Unavailable or Misconfigured with what to mend."""
