"""Which embedder a setting means; an adapter is imported when it is chosen."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from knowlog.embedding.port import Embedder
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.kernel.errors import Misconfigured

ADAPTERS = {
    "minilm": "knowlog.embedding.adapters.minilm:open_minilm",
    "bge": "knowlog.embedding.adapters.bge:open_bge",
    "pair": "knowlog.embedding.adapters.pair:open_pair",
    "openai": "knowlog.embedding.adapters.openai:open_openai",
    "fastembed": "knowlog.embedding.adapters.fastembed:open_fastembed",
    "fake": "knowlog.embedding.adapters.fake:open_fake",
}


def open_embedder(settings: EmbeddingSettings, data_dir: Path) -> Embedder:
    """Open the embedder that the settings name; blocks for a fraction of a second. Raises Misconfigured.

    The first call for "minilm" or "bge" makes its network and keeps it under `data_dir`/models.
    """
    place = ADAPTERS.get(settings.adapter)
    if place is None:
        raise Misconfigured(
            f"There is no embedding model {settings.model!r}: "
            f"set KNOWLOG_EMBEDDING_MODEL to one of {', '.join(ADAPTERS)}."
        )
    module, _, attribute = place.partition(":")
    opener: Callable[[EmbeddingSettings, Path], Embedder] = getattr(import_module(module), attribute)
    return opener(settings, data_dir)
