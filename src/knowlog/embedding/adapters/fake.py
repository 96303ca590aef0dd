"""An honest fake: texts that share words are near each other. For tests; it knows nothing of meaning."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.embedding.tokens import ReadTokens, compact

_TOKEN = re.compile(r"\w+|[^\w\s]")


class FakeEmbedder:
    """A bag of words, each word a fixed vector of random signs made from its hash (random projection)."""

    def __init__(self, dimensions: int = 384, window_tokens: int = 512) -> None:
        key = f"fake-{dimensions}-{window_tokens}"
        self.profile = EmbeddingProfile("fake", dimensions, window_tokens, key)

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text."""
        rows = [self._vector(text) for text in texts]
        return np.stack(rows) if rows else np.empty((0, self.profile.dimensions), np.float32)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question: the same as a document's."""
        return self._vector(text)

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """Return the vector of each word; nothing is kept."""
        words = [_TOKEN.findall(text.lower())[: self.profile.window_tokens] for text in texts]
        none = np.empty((0, self.profile.dimensions), np.float32)
        rows = [np.stack([self._signs(each) for each in own]) if own else none for own in words]
        return ReadTokens([compact(np.asarray(own, np.float32)) for own in rows], sum(map(len, words)))

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each word or mark starts."""
        return np.fromiter((match.start() for match in _TOKEN.finditer(text)), np.int32)

    async def close(self) -> None:
        """Nothing is held."""

    def _vector(self, text: str) -> NDArray[np.float32]:
        words = _TOKEN.findall(text.lower())[: self.profile.window_tokens]
        total = sum((self._signs(word) for word in words), self._signs(""))
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def _signs(self, word: str) -> NDArray[np.float64]:
        digest = hashlib.shake_128(word.encode("utf-8", "replace")).digest(self.profile.dimensions)
        return np.where(np.frombuffer(digest, np.uint8) < 128, -1.0, 1.0) + 1e-3


def open_fake(settings: EmbeddingSettings, data_dir: Path) -> FakeEmbedder:
    """Open the fake; nothing is read from the data directory."""
    return FakeEmbedder(settings.dimensions or 384, settings.window_tokens or 512)
