"""MiniLM and bge together: one vector out of both, so that a cosine is what two models make of a text and a question.

Two models that were taught differently err differently, and the mean of their cosines errs less than either.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding.adapters.bert.embedder import BertEmbedder
from knowlog.embedding.adapters.bge import open_bge
from knowlog.embedding.adapters.minilm import MiniLMEmbedder, open_minilm
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.embedding.tokens import ReadTokens

_SHARE = 1 / 3
"""What MiniLM's cosine counts. From text to text it differs twice as much as that of bge (on CISI and SQuAD 0.11 and 0.10
beside 0.055 and 0.059), so that both decide as much.
"""


class PairEmbedder:
    """Vectors of MiniLM and of bge end to end, each at the length that its share asks for."""

    def __init__(self, minilm: MiniLMEmbedder, bge: BertEmbedder) -> None:
        one, other = minilm.profile, bge.profile
        dimensions, window = one.dimensions + other.dimensions, min(one.window_tokens, other.window_tokens)
        self.profile = EmbeddingProfile("pair", dimensions, window, f"pair-{one.key}-{other.key}")
        self._minilm = minilm
        self._bge = bge

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text; both models work at once."""
        return _joined(
            *await asyncio.gather(self._minilm.embed_documents(texts), self._bge.embed_documents(texts))
        )

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question."""
        return _joined(*await asyncio.gather(self._minilm.embed_query(text), self._bge.embed_query(text)))

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """See TokenEmbedder: MiniLM's."""
        return await self._minilm.embed_tokens(texts, owner)

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each word piece starts; both models read the same ones."""
        return self._minilm.token_offsets(text)

    async def close(self) -> None:
        """Let the threads of both go."""
        await self._minilm.close()
        await self._bge.close()


def _joined(minilm: NDArray[np.float32], bge: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = (minilm * np.sqrt(_SHARE), bge * np.sqrt(1 - _SHARE))
    return np.concatenate(parts, axis=-1).astype(np.float32)


def open_pair(settings: EmbeddingSettings, data_dir: Path) -> PairEmbedder:
    """Open both models. Raises Misconfigured as they do."""
    minilm, bge = (settings.model_copy(update={"model": name}) for name in ("minilm", "bge"))
    return PairEmbedder(open_minilm(minilm, data_dir), open_bge(bge, data_dir))
