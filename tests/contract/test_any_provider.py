"""Anthropic, through any-llm and its own SDK, against a server on loopback that speaks the Messages API."""

import json
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any

import pytest
import uvicorn
from embedding_endpoint import running
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from knowlog.kernel.errors import LimitReached, Misconfigured, Unavailable
from knowlog.llm import LlmSettings, OpenAccount, Price, Prompt, Provider, Usage, open_providers

pytestmark = pytest.mark.skipif(
    find_spec("any_llm") is None, reason='not installed: pip install "knowlog[llm]"'
)
PROMPT = Prompt("Be brief.", "Say something.", 50)
STREAM = (
    ("message_start", {"message": {"id": "m", "type": "message", "role": "assistant", "content": [], "model": "claude-x",
     "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 70, "output_tokens": 1}}}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Well, "}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "something."}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": {"output_tokens": 30}}),
    ("message_stop", {}),
)  # fmt: skip


class Noting(OpenAccount):
    """Keeps what was put on it."""

    def __init__(self) -> None:
        self.used: list[Usage] = []

    def add(self, usage: Usage, price: Price) -> None:
        """Keep it."""
        self.used.append(usage)


class Endpoint:
    """What it was asked, and with what it refuses."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.events = len(STREAM)
        self.url = ""

    def provider(self) -> Provider:
        settings = LlmSettings(model="anthropic:claude-x", url=self.url, api_key="right-key", timeout_s=5)
        return open_providers(settings)[0]


def _application(endpoint: Endpoint) -> FastAPI:
    application = FastAPI()

    @application.post("/v1/messages")
    async def messages(request: Request) -> Response:
        endpoint.asked.append(await request.json())
        if endpoint.status != 200:
            error = {"type": "error", "error": {"type": "x", "message": "Told to refuse."}}
            return Response(json.dumps(error), endpoint.status, media_type="application/json")
        lines = [
            f"event: {n}\ndata: {json.dumps({'type': n, **v})}\n\n" for n, v in STREAM[: endpoint.events]
        ]
        return StreamingResponse(iter(lines), media_type="text/event-stream")

    return application


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """An endpoint that is well until told otherwise."""
    made = Endpoint()
    async with running(uvicorn.Config(_application(made), port=0, log_level="error", lifespan="off")) as url:
        made.url = url
        yield made


async def test_a_reply_is_read_as_it_streams(endpoint: Endpoint) -> None:
    """Its text, and the tokens that the provider counted."""
    reply = await endpoint.provider().complete(PROMPT, OpenAccount())
    assert (reply.text, reply.usage.written_tokens) == ("Well, something.", 30)
    assert (endpoint.asked[0]["model"], endpoint.asked[0]["max_tokens"]) == ("claude-x", 50)


@pytest.mark.parametrize(
    ("status", "error"), [(401, Misconfigured), (429, LimitReached), (500, Unavailable), (529, Unavailable)]
)
async def test_refusals_are_errors_of_ours(endpoint: Endpoint, status: int, error: type[Exception]) -> None:
    """And are asked once: nobody retries behind the guard's back. Nothing was used."""
    endpoint.status, account = status, Noting()
    with pytest.raises(error):
        await endpoint.provider().complete(PROMPT, account)
    assert len(endpoint.asked) == 1
    assert [used.tokens for used in account.used] == [0]


async def test_half_a_stream_is_no_reply(endpoint: Endpoint) -> None:
    """It breaks off before the model said that it had ended."""
    endpoint.events = 3
    with pytest.raises(Unavailable):
        await endpoint.provider().complete(PROMPT, OpenAccount())
