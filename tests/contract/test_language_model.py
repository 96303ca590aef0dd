"""The OpenAI-compatible language model against a real server on loopback: what is sent, and what misbehaviour becomes."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from knowlog.chunking import ChunkingProfile, ChunkingSettings, Models, chunk, open_language_model
from knowlog.documents.model import Structure
from knowlog.embedding import token_offsets
from knowlog.kernel.errors import LimitReached, Misconfigured, Unavailable

KEY = "right-key"


class Endpoint(ThreadingHTTPServer):
    """Answers as it is told, and keeps what it was asked."""

    status = 200
    body: bytes | None = None
    answer = '```json\n{"starts": [0, 4, 8]}\n```'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, object]] = []

    def model(self, **changes: object):
        settings = {
            "llm_url": f"http://127.0.0.1:{self.server_port}/v1",
            "llm_model": "small",
            "llm_api_key": KEY,
            "llm_timeout_s": 2,
        }
        return open_language_model(ChunkingSettings(**(settings | changes)))


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: Endpoint = self.server
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server.asked.append({**asked, "path": self.path})
        known = self.headers["Authorization"] == f"Bearer {KEY}"
        content = {"choices": [{"message": {"role": "assistant", "content": server.answer}}]}
        body = server.body if server.body is not None else json.dumps(content).encode()
        self.send_response(server.status if known else 401)
        self.send_header("Retry-After", "7")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that is honest until told otherwise."""
    with Endpoint() as served:
        threading.Thread(target=served.serve_forever, args=(0.01,), daemon=True).start()
        yield served
        served.shutdown()


def test_a_text_is_cut_where_the_endpoint_says(endpoint: Endpoint) -> None:
    """One request with the whole text; chunks begin at the sentences that it names."""
    text = " ".join(f"Sentence {n} says a little." for n in range(12))
    profile = ChunkingProfile(strategy="llm", size_tokens=30)
    found = chunk(text, profile, token_offsets, Structure(), Models(language=endpoint.model()))
    assert [text[span.start :].split(" ")[1] for span in found] == ["0", "4", "8"]
    assert [(asked["path"], asked["model"], asked["temperature"]) for asked in endpoint.asked] == [
        ("/v1/chat/completions", "small", 0)
    ]


def test_without_settings_there_is_no_model() -> None:
    """Half of them name the other half."""
    assert open_language_model(ChunkingSettings()) is None
    with pytest.raises(Misconfigured, match="KNOWLOG_CHUNKING_LLM_MODEL"):
        open_language_model(ChunkingSettings(llm_url="http://127.0.0.1:1/v1"))


def test_a_wrong_key_is_the_operators_to_mend(endpoint: Endpoint) -> None:
    """The setting is named, and the key is not."""
    with pytest.raises(Misconfigured, match="KNOWLOG_CHUNKING_LLM_API_KEY") as caught:
        endpoint.model(llm_api_key="wrong-key").complete("x")
    assert "wrong-key" not in caught.value.detail


def test_a_pause_is_passed_on(endpoint: Endpoint) -> None:
    """429 may be tried again, after the time that the endpoint asks for."""
    endpoint.status = 429
    with pytest.raises(LimitReached) as caught:
        endpoint.model().complete("x")
    assert caught.value.extra["retry_after_s"] == 7


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": null}}]}']
)
def test_an_answer_without_a_message_may_be_tried_again(endpoint: Endpoint, body: bytes) -> None:
    """What comes back is no message: told, and not taken for one."""
    endpoint.body = body
    with pytest.raises(Unavailable, match="something else"):
        endpoint.model().complete("x")


def test_an_endpoint_that_is_gone_may_be_tried_again() -> None:
    """Nobody listens."""
    model = open_language_model(
        ChunkingSettings(llm_url="http://127.0.0.1:9/v1", llm_model="small", llm_timeout_s=2)
    )
    with pytest.raises(Unavailable, match="cannot be reached"):
        model.complete("x")
