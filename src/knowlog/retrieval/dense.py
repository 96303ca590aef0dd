"""The dense leg: each collection is asked with the model that its vectors were made with, and with no other."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding import Embedder, OpenModel
from knowlog.kernel.errors import KnowlogError
from knowlog.resilience import time_limit
from knowlog.retrieval.fusion import scaled

_LOG = logging.getLogger("knowlog.retrieval")

_PATIENCE_S = 5.0
"""So long a model is given to embed a question; then the words are searched alone."""

_Asked = tuple[Embedder, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as one model sees it, and the collections whose vectors that model made."""

    model: Embedder
    vector: NDArray[np.float32]
    collections: tuple[UUID, ...]


@dataclass(frozen=True, slots=True)
class Questions:
    """A question for each embedding key of the collections searched; `silent`: those whose model does not answer."""

    asked: tuple[Asked, ...]
    silent: tuple[UUID, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What the caller must know of it, in sentences."""
        if not self.silent:
            return ()
        where = "some of the collections" if self.asked else "the documents"
        return (
            f"The embedding model of {where} does not answer at the moment: "
            "there, passages were found by their words alone, not by their meaning.",
        )


class Embedding:
    """The question being embedded, by every model that is needed; begun before anybody waits for it."""

    def __init__(self, question: str, configured: Embedder, open_model: OpenModel) -> None:
        self._question = question
        self._configured = configured
        self._open_model = open_model
        self._collections: dict[str, list[UUID]] = {}
        self._tasks = {configured.profile.key: _begin(self._by_configured())}

    def choose(self, keys: Mapping[UUID, str | None]) -> None:
        """Note which models are needed, and begin with those that are not at work yet."""
        by_key: dict[str, list[UUID]] = defaultdict(list)
        for collection_id, key in keys.items():
            by_key[key or self._configured.profile.key].append(collection_id)
        self._collections = dict(by_key)
        for key in by_key:
            if key not in self._tasks:
                self._tasks[key] = _begin(self._by_older(key))

    async def questions(self) -> Questions:
        """Wait for the models."""
        asked, silent = [], []
        for key, collections in self._collections.items():
            try:
                model, vector = await self._tasks[key]
                asked.append(Asked(model, vector, tuple(collections)))
            except KnowlogError as error:
                _LOG.info("a question was not embedded for %s: %s", key, error.detail)
                silent += collections
        return Questions(tuple(asked), tuple(silent))

    def stop(self) -> None:
        """Let go of what nobody waits for."""
        for task in self._tasks.values():
            task.cancel()

    async def _by_configured(self) -> _Asked:
        return await self._by(self._configured)

    async def _by_older(self, key: str) -> _Asked:
        return await self._by(await self._open_model(key))

    async def _by(self, model: Embedder) -> _Asked:
        async with time_limit(_PATIENCE_S, f"The embedding model {model.profile.name}"):
            return model, await model.embed_query(self._question)


def drawn(asked: Asked, near: Sequence[NDArray[np.float32]], share: float) -> Asked:
    """Draw a question's vector to others, the mean of which counts for a share; where there are none, it stays."""
    if not near:
        return asked
    vector = (1 - share) * asked.vector + share * np.mean(near, axis=0)
    return replace(asked, vector=(vector / np.linalg.norm(vector)).astype(np.float32))


def join(groups: Sequence[Mapping[int, float]]) -> Mapping[int, float]:
    """Join the dense scores of several models. Their cosines mean different things, so each model's are scaled by
    themselves to 0 ... 1; with one model, they stay cosines.
    """
    found = [group for group in groups if group]
    if len(found) <= 1:
        return found[0] if found else {}
    return {
        chunk_id: score
        for group in found
        for chunk_id, score in zip(group, scaled(group, list(group), 0.0).tolist(), strict=True)
    }


def _begin(work: Coroutine[Any, Any, _Asked]) -> "asyncio.Task[_Asked]":
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody may come to ask for it
    return task
