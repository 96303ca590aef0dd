"""Whether there is room for more: documents that wait for workers, bytes where the originals are kept."""

from dataclasses import replace
from time import monotonic
from uuid import UUID

from knowlog.database import Database, Scope, load_queries
from knowlog.documents.port import BlobStore
from knowlog.documents.settings import DocumentsSettings
from knowlog.kernel.errors import LimitReached
from knowlog.kernel.wording import counted

_SQL = load_queries("knowlog.documents")
_FRESH_S = 2.0
_MOST_KNOWN = 10_000


class Room:
    """Asked before the bytes of an upload are read, so that a refusal costs neither side anything."""

    def __init__(self, blobs: BlobStore, settings: DocumentsSettings) -> None:
        self._blobs = blobs
        self._most = settings.max_waiting
        self._waiting: dict[UUID, tuple[int, float]] = {}

    async def require(self, database: Database, scope: Scope) -> None:
        """Raise LimitReached when too many of the tenant's documents wait, StorageFull when the disk is.

        Documents are counted every two seconds, so the limit is passed by what comes in that time.
        """
        await self._blobs.require_room()
        if await self._count(database, scope) >= self._most:
            raise LimitReached(
                f"Your tenant has {counted(self._most, 'document')} waiting to be indexed, which is the limit. Nothing"
                " was stored; send this again when some are done.",
                retry_after_s=10,
            )

    async def _count(self, database: Database, scope: Scope) -> int:
        count, counted_at = self._waiting.get(scope.tenant_id, (0, -_FRESH_S))
        if monotonic() - counted_at < _FRESH_S:
            return count
        async with database.transaction(replace(scope, subjects=None)) as connection:  # all wait in one queue
            count = int(await connection.fetchval(_SQL["count_waiting"], self._most))
        if len(self._waiting) >= _MOST_KNOWN:
            self._waiting.clear()
        self._waiting[scope.tenant_id] = count, monotonic()
        return count
