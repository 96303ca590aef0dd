"""No tenant holds all connections of a process: one whose transactions wait for each other holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from uuid import UUID
from weakref import WeakValueDictionary

from knowlog.kernel.errors import Unavailable

_WAIT_S = 10
_WITHIN: ContextVar[tuple[UUID, object] | None] = ContextVar("within", default=None)
"""The tenant of whom this task has a place. A task that it starts has none."""


class Shares:
    """Three quarters of the connections for each tenant; what it wants beyond waits for its own."""

    def __init__(self, connections: int) -> None:
        self._most = max(1, connections * 3 // 4)
        self._places: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, tenant_id: UUID) -> AsyncIterator[None]:
        """Take a place of the tenant's. Who has one takes no second, or transactions within transactions could wait for
        each other for ever. Raises Unavailable after ten seconds.
        """
        outside, here = _WITHIN.get(), (tenant_id, asyncio.current_task())
        if outside == here:
            yield
            return
        places = self._places.get(tenant_id)
        if places is None:
            places = self._places[tenant_id] = asyncio.Semaphore(self._most)
        await (_wait(places) if places.locked() else places.acquire())
        _WITHIN.set(here)
        try:
            yield
        finally:
            _WITHIN.set(outside)  # no token: a block may end in another context than it began in
            places.release()


async def _wait(places: asyncio.Semaphore) -> None:
    try:
        async with asyncio.timeout(_WAIT_S):
            await places.acquire()
    except TimeoutError as error:
        raise Unavailable(
            "Too many changes of your tenant are under way and wait for each other. Try again in a moment."
        ) from error
