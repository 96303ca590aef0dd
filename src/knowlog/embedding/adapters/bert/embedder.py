"""A model of BERT's form on this machine's CPU, without a network connection."""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding import wordpiece
from knowlog.embedding.adapters.bert.line import Line
from knowlog.embedding.adapters.bert.network import DIMENSIONS, POSITIONS
from knowlog.embedding.adapters.bert.priority import step_back
from knowlog.embedding.adapters.bert.session import Session, Vector
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.kernel.errors import Misconfigured


class BertEmbedder:
    """Texts are embedded one by one, the longest first, on as many threads as are given, and callers take turns text by
    text.

    Questions have threads of their own: one that arrives during a large batch of documents shares the CPU
    with it, and does not wait for its end.
    """

    def __init__(
        self, session: Session, profile: EmbeddingProfile, threads: int, before_questions: str = ""
    ) -> None:
        self.profile = profile
        self._session = session
        self._before_questions = before_questions
        self._documents = Line(threads, "embed-documents")
        self._tokens = ThreadPoolExecutor(1, "embed-tokens")
        self._queries = ThreadPoolExecutor(threads, "embed-query", step_back)

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text. When the caller is cancelled, the threads stop after one more."""
        vectors = np.empty((len(texts), self.profile.dimensions), np.float32)
        ids = await self._ids(texts)

        def embed(index: int) -> None:
            vectors[index] = self._session.vector(ids[index])

        await self._documents.run(embed, longest_first(ids))
        return vectors

    async def embed_query(self, text: str) -> Vector:
        """Return the vector of a question: the same as a document's, of what the model wants before a question and it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._queries, self._embed, self._before_questions + text
        )

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


def longest_first(ids: Sequence[Sequence[int]]) -> list[int]:
    """Return the places of texts, those with most tokens first."""
    return sorted(range(len(ids)), key=lambda index: -len(ids[index]))


def profile_of(settings: EmbeddingSettings, identity: str) -> EmbeddingProfile:
    """Return the profile of the network of that identity. Raises Misconfigured where it cannot be as the settings say."""
    window, name = settings.window_tokens or POSITIONS, settings.adapter
    if settings.model_name or window > POSITIONS or settings.dimensions not in (None, DIMENSIONS):
        raise Misconfigured(
            f'The model "{name}" has one form, {DIMENSIONS} dimensions and at most {POSITIONS} tokens: '
            "correct KNOWLOG_EMBEDDING_MODEL, _WINDOW_TOKENS or _DIMENSIONS."
        )
    return EmbeddingProfile(name, DIMENSIONS, window, f"{name}-{identity}-{window}")


def threads_of(settings: EmbeddingSettings) -> int:
    """Return how many threads embed: as many as are set, or as there are CPUs that this process may use."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return settings.threads or cpus
