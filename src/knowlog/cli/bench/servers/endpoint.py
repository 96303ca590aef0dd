"""A language model that is played: OpenAI's chat completions on loopback, streamed, in whatever mood it is put.

It says what the fake model says. As a program, `python -P endpoint.py PORT`, it is put into a mood by `POST /mood`.
"""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import orjson

from knowlog.llm import FakeModel, Prompt

Mood = Literal[
    "well",
    "slow",
    "fails",
    "half fails",
    "garbage",
    "endless",
    "half a stream",
    "no key",
    "busy",
    "another",
    "echo",
]
NAME = "small"
_SLOW_S = 30
_STATUSES = {"no key": (401, ""), "busy": (429, "Retry-After: 7\r\n"), "fails": (500, "")}


class Endpoint:
    """Where it listens, what it was asked with which keys, and how it is. `half fails`: of 100 calls 51, evenly."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.mood: Mood = "well"
        self.says: Callable[[Prompt], str] | None = None
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    async def up(self) -> None:
        """Listen, at the port it had before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Be dead: nobody listens, and what was under way breaks off."""
        assert self._server is not None
        self._server.close()
        for task in self._busy:
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._heard(reader, writer)
        finally:
            self._busy.discard(task)
            writer.close()

    async def _heard(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split()[0])
        body = orjson.loads(await reader.readexactly(length))
        if head.startswith("post /mood "):
            self.mood = body["mood"]
            writer.write(_head(204))
            return
        self.keys.append(head.partition("authorization: bearer ")[2].partition("\r\n")[0])
        self.asked.append(body)
        await self._answer(body, len(self.asked) - 1, writer)

    async def _answer(self, asked: dict[str, Any], count: int, writer: asyncio.StreamWriter) -> None:
        status, headers = _STATUSES.get(self.mood, (200, ""))
        if self.mood == "half fails" and count * 51 // 100 != (count + 1) * 51 // 100:
            status = 500
        writer.write(_head(status, headers))
        if status == 200:
            if self.mood == "slow":
                await asyncio.sleep(_SLOW_S)
            await self._stream(asked, writer)

    async def _stream(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if self.mood == "echo":
            writer.write(f"data: Bearer {self.keys[-1]}\n\n".encode())
            return
        if self.mood == "garbage":
            writer.write(b"data: {\xff\xfe no json\n\n" * 3)
            return
        while self.mood == "endless":
            writer.write(b": nothing\n\n" * 1000)
            await writer.drain()
        broken = self.mood == "half a stream"
        name = "other-model" if self.mood == "another" else NAME
        pieces = await self._pieces(asked)
        for piece in pieces[: len(pieces) // 2] if broken else pieces:
            writer.write(_event({"model": name, "choices": [{"delta": {"content": piece}}]}))
        if not broken:
            writer.write(_event({"model": name, "choices": [{"delta": {}, "finish_reason": "stop"}]}))
            usage = {"prompt_tokens": 70, "completion_tokens": 30}
            writer.write(_event({"model": name, "choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        await writer.drain()

    async def _pieces(self, asked: dict[str, Any]) -> list[str]:
        system, user = (message["content"] for message in asked["messages"])
        fake = FakeModel(self.says)
        return [each async for each in fake.stream(Prompt(system, user, 100)) if isinstance(each, str)]


def _head(status: int, headers: str = "") -> bytes:
    kind = "Content-Type: text/event-stream\r\n" if status != 204 else ""
    return f"HTTP/1.1 {status} X\r\n{headers}{kind}Connection: close\r\n\r\n".encode()


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(value) + b"\n\n"


async def _main(port: int) -> None:
    endpoint = Endpoint(port)
    await endpoint.up()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
