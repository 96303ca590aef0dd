"""A caller's leave to read on: an answer may take longer to be read than its caller may read it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from time import perf_counter

from knowlog.edge.problem import GONE
from knowlog.edge.visit import Visit
from knowlog.kernel.errors import KnowlogError

_HOLDS_S = 1.0
_log = logging.getLogger("knowlog.edge")


class Leave:
    """What `look` found holds for a second: a key that is revoked, or a member who was taken out of a group, reads on
    for no longer.
    """

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self._look = look
        self._looked = perf_counter()

    async def renew(self) -> None:
        """Look again, if it is a second ago. Raises what `look` does."""
        if perf_counter() - self._looked > _HOLDS_S:
            await self._look()
            self._looked = perf_counter()


async def pass_while(leave: Leave, visit: Visit, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass the pieces of an answer on while the caller has leave to read it; then cut the connection, since what was
    begun cannot be refused any more.
    """
    async for piece in pieces:
        yield b""  # waits until the client has taken what was sent
        try:
            await leave.renew()
        except KnowlogError as error:
            _log.info("cut an answer whose caller may not read on: %s", error.detail)
            visit.stay.cut()
            await asyncio.sleep(0)
            raise GONE from error
        yield piece
