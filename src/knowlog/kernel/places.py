"""Places that work of many tenants shares, of which each tenant has a few."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID
from weakref import WeakValueDictionary


class Places:
    """So many of all tenants together, and so many of each: one whose work is slow waits for itself alone."""

    def __init__(self, most: int, each: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._each = each
        self._own: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant_id: UUID) -> AsyncIterator[None]:
        """Wait for a place of a tenant, and have it during the block."""
        own = self._own.setdefault(tenant_id, asyncio.Semaphore(self._each))
        async with own, self._all:
            yield
