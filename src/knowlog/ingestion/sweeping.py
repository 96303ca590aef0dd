"""Remove originals that no version knows: of uploads that were rolled back, of processes killed between two steps."""

from collections import defaultdict
from uuid import UUID

from knowlog.database import Database, Scope, load_queries
from knowlog.documents import BlobStore

_SQL = load_queries("knowlog.ingestion")


async def sweep_originals(database: Database, blobs: BlobStore, older_than_s: float, prefix: str = "") -> int:
    """Remove every original below `prefix` that is older than `older_than_s` and belongs to no version.

    The age protects uploads whose transaction has not committed yet. Returns how many were removed.
    """
    removed = 0
    async for keys in blobs.keys(prefix, older_than_s):
        by_tenant: dict[UUID, list[tuple[UUID, str]]] = defaultdict(list)
        for key in keys:
            owner = _owner(key)
            if owner is not None:
                by_tenant[owner[0]].append((owner[1], key))
        for tenant_id, owned in by_tenant.items():
            async with database.transaction(Scope(tenant_id, "sweep")) as connection:
                rows = await connection.fetch(
                    _SQL["unknown_blobs"], [document for document, _ in owned], [key for _, key in owned]
                )
            unknown = [row["blob"] for row in rows]
            await blobs.delete(unknown)
            removed += len(unknown)
    return removed


async def remove_originals(blobs: BlobStore, tenant_id: UUID) -> tuple[int, int]:
    """Remove every original of a tenant that is deleted. Returns how many were removed, and how many are still found."""
    removed = left = 0
    async for keys in blobs.keys(str(tenant_id)):
        await blobs.delete(keys)
        removed += len(keys)
    async for keys in blobs.keys(str(tenant_id)):
        left += len(keys)
    return removed, left


def _owner(key: str) -> tuple[UUID, UUID] | None:
    """Tenant and document of a key; None for what is not an original of ours."""
    try:
        tenant, document, _ = key.split("/")
        return UUID(tenant), UUID(document)
    except ValueError:
        return None
