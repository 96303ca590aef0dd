"""A small OpenAI-compatible endpoint on loopback: honest by default, or answering what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response

from knowlog.embedding import Embedder, EmbeddingSettings, open_embedder

DIMENSIONS = 64
KEY = "right-key"


@dataclass
class Endpoint:
    """Where it listens, what it was asked, and what it answers instead of the truth."""

    url: str = ""
    requests: list[dict[str, Any]] = field(default_factory=list)
    answer: Response | None = None
    delay_s: float = 0

    def embedder(self, **changes: Any) -> Embedder:
        """An embedder that talks to it."""
        settings = {"model": "openai:small", "url": self.url, "api_key": KEY, "dimensions": DIMENSIONS}
        return open_embedder(EmbeddingSettings(**(settings | changes)), Path("/nowhere"))


def _application(endpoint: Endpoint) -> FastAPI:
    application = FastAPI()
    model = open_embedder(EmbeddingSettings(model="fake", dimensions=DIMENSIONS), Path("/nowhere"))

    @application.post("/v1/embeddings")
    async def embeddings(request: Request) -> Any:
        asked = await request.json()
        endpoint.requests.append(asked)
        await asyncio.sleep(endpoint.delay_s)
        if endpoint.answer is not None:
            return endpoint.answer
        if request.headers.get("authorization") != f"Bearer {KEY}":
            return Response('{"error": {"message": "Incorrect API key provided."}}', 401)
        if "" in asked["input"]:
            return Response('{"error": {"message": "input cannot be an empty string"}}', 400)
        vectors = await model.embed_documents(asked["input"])
        data = [{"index": index, "embedding": (3 * row).tolist()} for index, row in enumerate(vectors)]
        return {"data": data[::-1]}

    return application


@asynccontextmanager
async def running(config: uvicorn.Config) -> AsyncIterator[str]:
    """Listen on a free port of loopback until the block ends; yields the address."""
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = server.force_exit = True
    with suppress(asyncio.CancelledError):
        await task


@asynccontextmanager
async def serving() -> AsyncIterator[Endpoint]:
    """Serve embeddings until the block ends."""
    endpoint = Endpoint()
    config = uvicorn.Config(_application(endpoint), port=0, log_level="error", lifespan="off")
    async with running(config) as url:
        endpoint.url = f"{url}/v1"
        yield endpoint
