"""An endpoint as a customer might have it: it takes what is posted, and answers as it is told to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from standardwebhooks import Webhook as Verifier


@dataclass
class Taken:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return orjson.loads(self.body)

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]

    def verify(self, secret: str) -> dict[str, Any]:
        """Raises when the signature is not by this secret."""
        return Verifier(secret).verify(self.body, self.headers)


Answer = Callable[[Taken], tuple[int, dict[str, str], bytes]]
OK = (200, {}, b"")


@dataclass
class Receiver:
    """A server on the loopback address. `answer` decides; `hang` makes it accept and say nothing."""

    answer: Answer = lambda taken: OK
    hang: bool = False
    delay_s: float = 0
    port: int = 0
    taken: list[Taken] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Receiver"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(Exception, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {n.lower(): v for n, v in (line.split(": ", 1) for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            taken = Taken(head[0].split()[1], headers, body)
            self.taken.append(taken)
            self.arrived.set()
            if self.hang:
                await asyncio.sleep(3600)
            await asyncio.sleep(self.delay_s)
            status, more, content = self.answer(taken)
            lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in more.items()]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
            await writer.drain()
        writer.close()

    async def until(self, count: int, seconds: float = 60) -> list[Taken]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(seconds):
            while len(self.taken) < count:
                await asyncio.sleep(0.01)
        return self.taken
