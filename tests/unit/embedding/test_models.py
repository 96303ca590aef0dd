"""A model is found again by the key of the vectors that it made."""

from pathlib import Path

import pytest

from knowlog.embedding import EmbeddingSettings, Models, open_embedder
from knowlog.embedding.models import settings_of
from knowlog.kernel.errors import Unavailable

GIVEN = EmbeddingSettings(model="minilm", url="http://models.test/v1", api_key="secret", threads=2)


@pytest.mark.parametrize(
    ("key", "model", "dimensions", "window"),
    [
        ("minilm-int8-fused-1-256", "minilm", None, 256),
        ("bge-56108c58802d-128", "bge", None, 128),
        ("pair-minilm-2ca77b8ae881-128-bge-56108c58802d-128", "pair", None, 128),
        ("fake-64-512", "fake", 64, 512),
        ("openai-text-embedding-3-small-1536-8000", "openai:text-embedding-3-small", 1536, 8000),
        ("fastembed-BAAI/bge-small-en-v1.5-512", "fastembed:BAAI/bge-small-en-v1.5", None, 512),
    ],
)
def test_a_key_says_which_settings_made_it(key: str, model: str, dimensions: int | None, window: int) -> None:
    """The rest is as it is set now."""
    found = settings_of(key, GIVEN)
    assert found is not None
    assert (found.model, found.dimensions, found.window_tokens) == (model, dimensions, window)
    assert (found.url, found.threads) == (GIVEN.url, 2)


def test_a_key_of_another_making_says_nothing() -> None:
    """It is no reason to fail."""
    assert settings_of("words-16", GIVEN) is None


def test_questions_are_sent_to_no_endpoint_that_was_not_named() -> None:
    """The default address is nobody's choice."""
    assert settings_of("openai-small-8-512", EmbeddingSettings(model="minilm")) is None


async def test_a_model_is_opened_once_and_the_configured_one_not_again(tmp_path: Path) -> None:
    """Two calls for a key give the same object."""
    settings = EmbeddingSettings(model="fake", dimensions=64)
    configured = open_embedder(settings, tmp_path)
    models = Models(configured, settings, tmp_path)
    assert await models.open("fake-64-512") is configured
    other = await models.open("fake-96-512")
    assert other.profile.key == "fake-96-512"
    assert await models.open("fake-96-512") is other
    await models.close()


async def test_a_model_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    """Unavailable, with the reason in a sentence."""
    settings = EmbeddingSettings(model="fake")
    models = Models(open_embedder(settings, tmp_path), settings, tmp_path)
    for key in ("words-16", "openai-small-8-512"):
        with pytest.raises(Unavailable):
            await models.open(key)
    await models.close()
