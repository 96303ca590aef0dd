"""A server on loopback that speaks OpenAI's chat completions, streamed; in whatever mood a test puts it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal

from knowlog.llm import FakeModel, LlmSettings, Prompt, Provider, open_providers
from knowlog.llm.adapters.fake import quoting

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
KEY = "right-key"
NAME = "small"


class ModelServer:
    """Where it listens, what it was asked, and how it is."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[dict[str, Any]] = []
        self.mood: Mood = "well"
        self.key = KEY
        self.says: Callable[[Prompt], str] = quoting
        self._server: asyncio.Server | None = None
        self._busy: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> dict[str, Any]:
        """How to reach it."""
        return {"model": f"openai:{NAME}", "url": f"http://127.0.0.1:{self.port}/v1", "api_key": self.key}

    def provider(self, **changes: Any) -> Provider:
        """A provider that asks it."""
        return open_providers(LlmSettings(**(self.settings | {"timeout_s": 1} | changes)))[0]

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
                await self._answer(await _read(reader), writer)
        finally:
            self._busy.discard(task)
            writer.close()

    async def _answer(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        count = len(self.asked)
        self.asked.append(asked)
        status, headers = {"no key": (401, ""), "busy": (429, "Retry-After: 7\r\n")}.get(self.mood, (200, ""))
        failing = self.mood == "fails" or (
            self.mood == "half fails" and count * 51 // 100 != (count + 1) * 51 // 100
        )
        head = f"HTTP/1.1 {500 if failing else status} X\r\n{headers}Content-Type: text/event-stream\r\n"
        writer.write(f"{head}Connection: close\r\n\r\n".encode())
        if failing or status != 200:
            return
        if self.mood == "slow":
            await asyncio.sleep(30)
        await self._stream(asked, writer)

    async def _stream(self, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        if self.mood == "echo":
            writer.write(f"data: Bearer {self.key}\n\n".encode())
            return
        if self.mood == "garbage":
            writer.write(b"data: {\xff\xfe no json\n\n" * 3)
            return
        while self.mood == "endless":
            writer.write(b": nothing\n\n" * 1000)
            await writer.drain()
        system, user = (message["content"] for message in asked["messages"])
        fake = FakeModel(self.says)
        pieces = [each async for each in fake.stream(Prompt(system, user, 100)) if isinstance(each, str)]
        name = "other-model" if self.mood == "another" else NAME
        for piece in pieces[: len(pieces) // 2] if self.mood == "half a stream" else pieces:
            writer.write(_event({"model": name, "choices": [{"delta": {"content": piece}}]}))
        if self.mood != "half a stream":
            writer.write(_event({"model": name, "choices": [{"delta": {}, "finish_reason": "stop"}]}))
            usage = {"prompt_tokens": 70, "completion_tokens": 30}
            writer.write(_event({"model": name, "choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        await writer.drain()


@asynccontextmanager
async def serving() -> AsyncIterator[ModelServer]:
    """Listen on a free port of loopback until the block ends."""
    server = ModelServer()
    await server.up()
    try:
        yield server
    finally:
        await server.down()


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length:")[2].split()[0])
    read: dict[str, Any] = json.loads(await reader.readexactly(length))
    return read


def _event(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"
