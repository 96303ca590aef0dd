"""all-MiniLM-L6-v2 on this machine's CPU, without a network connection."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding import wordpiece
from knowlog.embedding.adapters.minilm.directions import projected
from knowlog.embedding.adapters.minilm.line import Line
from knowlog.embedding.adapters.minilm.network import DIMENSIONS, POSITIONS
from knowlog.embedding.adapters.minilm.priority import step_back
from knowlog.embedding.adapters.minilm.session import Session, Vector
from knowlog.embedding.adapters.minilm.store import IDENTITY, network_file
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.embedding.tokens import ReadTokens, Shelf, compact
from knowlog.kernel.errors import Misconfigured

DEFAULT_WINDOW = 512


class MiniLMEmbedder:
    """Texts are embedded one by one, the longest first, on as many threads as are given, and callers take turns text by
    text.

    Questions have threads of their own: one that arrives during a large batch of documents shares the CPU
    with it, and does not wait for its end.
    """

    def __init__(
        self, session: Session, threads: int, window_tokens: int = DEFAULT_WINDOW, shelf_bytes: int = 0
    ) -> None:
        self.profile = EmbeddingProfile(
            "minilm", DIMENSIONS, window_tokens, f"minilm-{IDENTITY}-{window_tokens}"
        )
        self._session = session
        self._shelf = Shelf(shelf_bytes)
        self._documents = Line(threads, "embed-documents")
        self._tokens = ThreadPoolExecutor(1, "embed-tokens")
        self._queries = ThreadPoolExecutor(threads, "embed-query", step_back)

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text. When the caller is cancelled, the threads stop after one more."""
        vectors = np.empty((len(texts), DIMENSIONS), np.float32)
        ids = await self._ids(texts)

        def embed(index: int) -> None:
            vectors[index] = self._session.vector(ids[index])

        await self._documents.run(embed, _longest_first(ids))
        return vectors

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """See TokenEmbedder. What was read before the caller is cancelled is kept."""
        found = [self._shelf.get(owner, text) for text in texts]
        missing = [place for place, vectors in enumerate(found) if vectors is None]
        ids = await self._ids([texts[place] for place in missing])

        def read(index: int) -> None:
            vectors = compact(projected(self._session.tokens(ids[index])[1:-1]))
            self._shelf.put(owner, texts[missing[index]], vectors)
            found[missing[index]] = vectors

        await self._documents.run(read, _longest_first(ids))
        return ReadTokens([each for each in found if each is not None], sum(map(len, ids)))

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of a question: the same as a document's."""
        return await asyncio.get_running_loop().run_in_executor(self._queries, self._embed, text)

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each word piece starts."""
        return wordpiece.token_offsets(text)

    async def close(self) -> None:
        """Let the threads go."""
        self._documents.close()
        self._tokens.shutdown(wait=False, cancel_futures=True)
        self._queries.shutdown(wait=False, cancel_futures=True)

    async def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return await asyncio.get_running_loop().run_in_executor(
            self._tokens, wordpiece.token_ids, texts, self.profile.window_tokens
        )

    def _embed(self, text: str) -> Vector:
        return self._session.vector(wordpiece.token_ids([text], self.profile.window_tokens)[0])


def _longest_first(ids: Sequence[Sequence[int]]) -> list[int]:
    return sorted(range(len(ids)), key=lambda index: -len(ids[index]))


def open_minilm(settings: EmbeddingSettings, data_dir: Path) -> MiniLMEmbedder:
    """Open the offline model; its network is made in `data_dir` at the first call. Raises Misconfigured."""
    window = settings.window_tokens or DEFAULT_WINDOW
    if settings.model_name or window > POSITIONS or settings.dimensions not in (None, DIMENSIONS):
        raise Misconfigured(
            f'The model "minilm" has one form, {DIMENSIONS} dimensions and at most {POSITIONS} tokens: '
            "correct KNOWLOG_EMBEDDING_MODEL, _WINDOW_TOKENS or _DIMENSIONS."
        )
    threads = settings.threads or available_cpus()
    shelf_bytes = settings.token_shelf_mb * 1_000_000
    return MiniLMEmbedder(Session(network_file(data_dir)), threads, window, shelf_bytes)


def available_cpus() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
