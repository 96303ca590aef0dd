"""Text in, vectors out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding.model import EmbeddingProfile


class Embedder(Protocol):
    """A model that places texts of like meaning near each other. Safe to call from many tasks at once."""

    @property
    def profile(self) -> EmbeddingProfile:
        """What made the vectors."""

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return [n, dimensions] float32 rows of length 1, in the order of the texts.

        Raises Unavailable where trying again may help, Misconfigured where the operator has to act.
        """

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the [dimensions] float32 vector of a question, of length 1. Raises like embed_documents."""

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each token starts: code point offsets, ascending, without special tokens.

        An offset is there as often as tokens start at it: in some scripts one character is several. Blocks for
        up to half a second per megabyte; other threads run meanwhile. Models without a tokenizer on this machine
        count in BERT's word pieces.
        """

    async def close(self) -> None:
        """Release threads and connections. Nothing may be called afterwards."""
