"""A real language model: SmolLM2-135M, or what KNOWLOG_TEST_GGUF names, served on loopback by llama.cpp."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from knowlog.llm import LlmSettings, OpenAccount, Prompt, Provider, open_providers
from servers import missing

pytestmark = pytest.mark.skipif(find_spec("xllamacpp") is None, reason="llama.cpp is built for Linux alone")
FETCHED = Path(__file__).parents[2] / ".services/model/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF = Path(os.environ.get("KNOWLOG_TEST_GGUF") or FETCHED)


@pytest.fixture(scope="module")
def served() -> Any:
    """The server of llama.cpp."""
    if not GGUF.is_file():
        missing(f"{GGUF} is no model: `make services-install` brings one")
    import xllamacpp as llama

    parameters = llama.CommonParams()
    parameters.model.path = str(GGUF)
    parameters.n_ctx, parameters.warmup, parameters.port = 2048, False, 0
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 2
    return llama.Server(parameters)


@pytest.fixture
def provider(served: Any) -> Provider:
    settings = LlmSettings(
        model=f"openai:{GGUF.stem}", url=f"{served.listening_address}/v1", timeout_s=120, slow_s=100
    )
    return open_providers(settings)[0]


async def test_it_streams_and_counts(provider: Provider) -> None:
    """Some words, and the tokens that it read and wrote."""
    reply = await provider.complete(Prompt("You are brief.", "Say hello.", 20), OpenAccount())
    assert reply.text.strip()
    assert (reply.usage.estimated, reply.usage.written_tokens <= 20) == (False, True)
