"""The fused network against the one that it was made from."""

import asyncio
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from knowlog.embedding import EmbeddingSettings, open_embedder
from knowlog.embedding.adapters.bert.session import Session
from knowlog.embedding.adapters.minilm import MiniLMEmbedder, open_minilm
from knowlog.embedding.adapters.minilm.network import network_file
from knowlog.embedding.adapters.minilm.weights import wheel_file
from knowlog.embedding.tokens import max_sim
from knowlog.embedding.wordpiece import token_ids

TEXTS = ["A cat sleeps on the warm roof.", "Invoices are due within thirty days.", "word " * 300, ""]


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> MiniLMEmbedder:
    """The model with its settings as they come."""
    return open_minilm(EmbeddingSettings(), tmp_path_factory.mktemp("data"))


def wheel_vector(text: str) -> NDArray[np.float32]:
    """The vector that the wheel's own network gives."""
    session = onnxruntime.InferenceSession(wheel_file(), providers=["CPUExecutionProvider"])
    ids = np.array(token_ids([text], 512), np.int64)
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    total = session.run(None, given)[0][0].sum(0)
    return total / np.linalg.norm(total)


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:10])
async def test_vectors_are_those_of_the_wheel(embedder: MiniLMEmbedder, text: str) -> None:
    """Fusing and int8 products keep the direction."""
    assert await embedder.embed_query(text) @ wheel_vector(text) > 0.98


async def test_the_vectors_of_tokens_are_those_that_a_vector_is_the_mean_of(tmp_path: Path) -> None:
    """One for each token, those at both ends included."""
    ids = token_ids(TEXTS[:1], 512)[0]
    session = Session(network_file(tmp_path))
    total = session.tokens(ids).sum(axis=0)
    assert session.tokens(ids).shape == (len(ids), 384)
    assert total / np.linalg.norm(total) @ session.vector(ids) == pytest.approx(1, abs=1e-5)


async def test_tokens_are_read_once_for_each_owner(embedder: MiniLMEmbedder) -> None:
    """What speaks of the question is nearer than what does not, and an empty text is no error."""
    asked, cat, invoice, nothing = (
        await embedder.embed_tokens(["Where do cats sleep?", *TEXTS[:2], ""], "a")
    ).texts
    assert max_sim(asked, cat) > max_sim(asked, invoice) > max_sim(asked, nothing) == 0
    assert [(await embedder.embed_tokens(TEXTS[:2], owner)).fresh > 0 for owner in "aba"] == [
        False,
        True,
        False,
    ]


async def test_neighbours_change_nothing(embedder: MiniLMEmbedder) -> None:
    """The vector of a text is the same bit for bit in any company, so that it can be cached."""
    together = await embedder.embed_documents(TEXTS)
    for row, text in zip(together, TEXTS, strict=True):
        assert np.array_equal(row, await embedder.embed_query(text))


async def test_question_does_not_wait_for_documents(embedder: MiniLMEmbedder) -> None:
    """One that arrives during a large batch is answered before the batch ends."""
    documents = asyncio.create_task(embedder.embed_documents(["word " * 400] * 60))
    await asyncio.sleep(0.05)
    await embedder.embed_query("a question")
    assert not documents.done()
    documents.cancel()


async def test_cancelled_batch_stops(embedder: MiniLMEmbedder) -> None:
    """Threads do not go on with texts that nobody waits for."""
    documents = asyncio.create_task(embedder.embed_documents(["word " * 400] * 2000))
    await asyncio.sleep(0.1)
    documents.cancel()
    async with asyncio.timeout(5):
        assert len(await embedder.embed_documents(["next"])) == 1
    assert documents.cancelled()


async def test_window_is_a_setting(tmp_path: Path) -> None:
    """A smaller window sees less, and is another profile."""
    small = open_embedder(EmbeddingSettings(window_tokens=16), tmp_path)
    vectors = await small.embed_documents(["cat " * 14, "cat " * 14 + "dog " * 50])
    assert np.array_equal(vectors[0], vectors[1])
    assert small.profile.key.endswith("-16")
    await small.close()
