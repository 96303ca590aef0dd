"""What every embedder must do. A new adapter is added to `embedder`, and nothing else here changes."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from embedding_endpoint import serving

from bge_jar import bge_jar
from knowlog.embedding import Embedder, EmbeddingSettings, open_embedder

TEXTS = [
    "A cat sleeps on the warm roof.",
    "The invoice has to be paid within thirty days of delivery, unless another term was agreed in writing.",
    "Cats sleep most of the day.",
    "Zeta",
]
ODD = [
    "",
    " ",
    "\n\t",
    "\x00",
    "\ud800",
    "e\u0301\u200d\ufeff",
    "北京市朝阳区",
    "서울특별시",
    "👩‍👩‍👧‍👦 family",
    "مرحبا بالعالم",
    "a" * 5000,
]


@pytest.fixture(scope="module", params=["minilm", "bge", "pair", "fake", "openai"])
async def embedder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Embedder]:
    """Each adapter that works without a network connection."""
    async with serving() as endpoint:
        if request.param == "openai":
            opened = endpoint.embedder(request_texts=3)
        else:
            file = bge_jar() if request.param in ("bge", "pair") else None
            settings = EmbeddingSettings(model=request.param, file=file)
            opened = open_embedder(settings, tmp_path_factory.mktemp("data"))
        yield opened
        await opened.close()


async def test_vectors_are_float32_rows_of_length_one(embedder: Embedder) -> None:
    """The shape is what the profile promises, and every row is a unit vector."""
    vectors = await embedder.embed_documents(TEXTS)
    assert vectors.shape == (len(TEXTS), embedder.profile.dimensions)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)


async def test_order_is_kept(embedder: Embedder) -> None:
    """Row n belongs to text n, whatever order they were worked on."""
    forwards = await embedder.embed_documents(TEXTS)
    backwards = await embedder.embed_documents(TEXTS[::-1])
    assert np.allclose(forwards, backwards[::-1], atol=1e-6)


async def test_like_texts_are_nearer_than_unlike_ones(embedder: Embedder) -> None:
    """A question about cats is nearest to a text about cats."""
    scores = await embedder.embed_documents(TEXTS) @ await embedder.embed_query("where does a cat sleep")
    assert set(np.argsort(-scores)[:2]) == {0, 2}


async def test_the_same_text_has_the_same_vector(embedder: Embedder) -> None:
    """Alone or among others, as a document or again."""
    together = await embedder.embed_documents(TEXTS)
    again = await embedder.embed_documents(TEXTS)
    alone = np.concatenate([await embedder.embed_documents([text]) for text in TEXTS])
    assert np.array_equal(together, again)
    assert np.all(np.sum(together * alone, axis=1) > 0.99)


async def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    """An empty list is no error."""
    assert (await embedder.embed_documents([])).shape == (0, embedder.profile.dimensions)


@pytest.mark.parametrize("text", ODD, ids=ascii)
async def test_odd_text_has_a_vector(embedder: Embedder, text: str) -> None:
    """Nothing that a string can hold breaks it, and the vector is a direction."""
    for vector in (await embedder.embed_query(text), (await embedder.embed_documents([text]))[0]):
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


async def test_text_beyond_the_window_is_cut_off(embedder: Embedder) -> None:
    """A very long text has the vector of its beginning."""
    long = "The cat sleeps. " * 100_000
    vectors = await embedder.embed_documents([long, long + "Invoices are paid in thirty days."])
    assert np.array_equal(vectors[0], vectors[1])


async def test_many_callers_at_once_get_their_own_vectors(embedder: Embedder) -> None:
    """Concurrent calls do not mix."""
    expected = await embedder.embed_documents(TEXTS)
    asked = [await embedder.embed_query(text) for text in TEXTS]
    calls = [embedder.embed_documents(TEXTS[n % 4 :]) for n in range(12)]
    queries = [embedder.embed_query(TEXTS[n % 4]) for n in range(12)]
    many, single = await asyncio.gather(asyncio.gather(*calls), asyncio.gather(*queries))
    for n in range(12):
        assert np.allclose(many[n], expected[n % 4 :], atol=1e-5)
        assert single[n] @ asked[n % 4] > 0.99


@pytest.mark.parametrize(
    "text", [*TEXTS, *ODD, "one\n\ntwo  three, four" * 2000], ids=lambda text: ascii(text[:20])
)
def test_token_offsets_ascend_within_the_text(embedder: Embedder, text: str) -> None:
    """Each token starts at a character of the text, not before the one before it."""
    offsets = embedder.token_offsets(text)
    assert offsets.ndim == 1
    assert np.issubdtype(offsets.dtype, np.integer)
    assert np.all(np.diff(offsets) >= 0)
    assert not len(offsets) or (offsets[0] >= 0 and offsets[-1] < len(text))


def test_tokens_start_at_words(embedder: Embedder) -> None:
    """White space starts no token; what comes after it does."""
    assert embedder.token_offsets("one  two\n,three").tolist() == [0, 5, 9, 10]


def test_the_profile_key_names_the_model(embedder: Embedder, tmp_path: Path) -> None:
    """Another window is another profile: its vectors are not compared with these."""
    other = open_embedder(EmbeddingSettings(model="fake", window_tokens=77), tmp_path)
    assert embedder.profile.key != other.profile.key
    assert embedder.profile.dimensions > 0
    assert embedder.profile.window_tokens > 0
