"""Models that the library fastembed knows: ONNX files, downloaded once into the data directory."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from knowlog.embedding import wordpiece
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.kernel.errors import Misconfigured

if TYPE_CHECKING:
    from fastembed import TextEmbedding

DEFAULT_WINDOW = 512


class FastembedEmbedder:
    """Runs a fastembed model in a thread; fastembed batches, and uses as many threads as it is given."""

    def __init__(self, profile: EmbeddingProfile, model: "TextEmbedding", batch: int) -> None:
        self.profile = profile
        self._model = model
        self._batch = batch

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row for each text."""
        return await asyncio.to_thread(self._documents, texts)

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """Return the vector of a question, with the prefix that the model wants before one."""
        return await asyncio.to_thread(self._query, text)

    def token_offsets(self, text: str) -> NDArray[np.int32]:
        """Return where each of BERT's word pieces starts; the model's own tokens are similar in number."""
        return wordpiece.token_offsets(text)

    async def close(self) -> None:
        """Nothing is held beyond memory."""

    def _documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if not texts:
            return np.empty((0, self.profile.dimensions), np.float32)
        readable = [wordpiece.readable(text) for text in texts]
        return _unit(np.stack(list(self._model.passage_embed(readable, batch_size=self._batch))))

    def _query(self, text: str) -> NDArray[np.float32]:
        vector: NDArray[np.float32] = _unit(
            np.stack(list(self._model.query_embed(wordpiece.readable(text))))
        )[0]
        return vector


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, np.finfo(np.float32).tiny), np.float32)


def open_fastembed(settings: EmbeddingSettings, data_dir: Path) -> FastembedEmbedder:
    """Open a model of fastembed's list, downloaded at the first call. Raises Misconfigured."""
    try:
        from fastembed import TextEmbedding
    except ImportError as error:
        raise Misconfigured(
            f"The model {settings.model} needs a library: run `pip install 'knowlog[fastembed]'`."
        ) from error
    known = {model["model"].lower(): model for model in TextEmbedding.list_supported_models()}
    described = known.get(settings.model_name.lower())
    if described is None:
        raise Misconfigured(
            f"fastembed does not know the model {settings.model_name!r}: set KNOWLOG_EMBEDDING_MODEL to "
            "fastembed:NAME with a NAME of https://qdrant.github.io/fastembed/examples/Supported_Models/."
        )
    name, dimensions = str(described["model"]), int(described["dim"])
    model = _download(TextEmbedding, name, data_dir / "models" / "fastembed", settings.threads)
    window = settings.window_tokens or DEFAULT_WINDOW
    profile = EmbeddingProfile(name, dimensions, window, f"fastembed-{name}-{window}")
    return FastembedEmbedder(profile, model, settings.request_texts)


def _download(make: type["TextEmbedding"], name: str, folder: Path, threads: int | None) -> "TextEmbedding":
    try:
        return make(name, cache_dir=str(folder), threads=threads)
    except Exception as error:  # fastembed lets the errors of several download libraries through
        raise Misconfigured(
            f"The model {name} can neither be downloaded nor found in {folder} ({type(error).__name__}): "
            "connect this machine, copy the folder from one that is, or set KNOWLOG_EMBEDDING_MODEL=minilm."
        ) from error
