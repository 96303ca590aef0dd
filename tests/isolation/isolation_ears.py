"""Listening to streams: for as long as it takes, and no longer."""

import asyncio

from knowlog.edge.streams import HEARTBEAT

_PATIENCE_S = 60


class Ear:
    """What somebody hears on a stream, as it comes. A stream beats while it has nothing to tell."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.heard = bytearray()
        self.over = False
        self._reader = reader
        self._news = asyncio.Event()

    async def listen(self) -> None:
        """Hear all that comes, until the stream ends."""
        try:
            while piece := await self._reader.read(65536):
                self.heard += piece
                self._news.set()
        finally:
            self.over = True
            self._news.set()

    async def begun(self) -> None:
        """Wait until the stream follows the log. Raises AssertionError where it is refused."""
        await self.until(b"\r\n\r\n")
        assert b" 200 " in self.heard.partition(b"\r\n")[0], self.heard
        await self.beats(1)

    async def until(self, said: bytes, behind: int = 0) -> bool:
        """Wait until something is said behind a place of what was heard. False where the stream ends without it."""
        async with asyncio.timeout(_PATIENCE_S):
            while said not in self.heard[behind:]:
                if self.over:
                    return False
                self._news.clear()
                await self._news.wait()
        return True

    async def beats(self, count: int = 2) -> None:
        """Wait until the stream has looked at the log so often, and found nothing more; or has ended."""
        place = len(self.heard)
        for _ in range(count):
            await self.until(HEARTBEAT, place)
            place = max(place, self.heard.find(HEARTBEAT, place) + len(HEARTBEAT))
