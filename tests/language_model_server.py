"""A server on loopback that speaks OpenAI's chat completions, streamed; in whatever mood a test puts it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from knowlog.cli.bench.servers.endpoint import NAME, Endpoint, Mood
from knowlog.llm import LlmSettings, Provider, open_providers
from knowlog.resilience import forget_guard

__all__ = ["KEY", "ModelServer", "Mood", "serving"]
KEY = "right-key"


class ModelServer(Endpoint):
    """The endpoint that benchmarks use, too, here in the tests' own process."""

    key = KEY

    @property
    def settings(self) -> dict[str, Any]:
        """How to reach it."""
        return {"model": f"openai:{NAME}", "url": f"http://127.0.0.1:{self.port}/v1", "api_key": self.key}

    providers: list[Provider]

    def provider(self, **changes: Any) -> Provider:
        """A provider that asks it."""
        made = open_providers(LlmSettings(**(self.settings | {"timeout_s": 1} | changes)))[0]
        self.providers.append(made)
        return made


@asynccontextmanager
async def serving() -> AsyncIterator[ModelServer]:
    """Listen on a free port of loopback until the block ends."""
    server = ModelServer()
    server.providers = []
    await server.up()
    try:
        yield server
    finally:
        await server.down()
        for each in server.providers:
            forget_guard(each.guard)  # else other tests of this process see a model that is left alone
