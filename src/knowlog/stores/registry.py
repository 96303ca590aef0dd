"""Which vector store a setting means; an adapter is imported when it is chosen."""

from importlib import import_module

from knowlog.kernel.errors import Misconfigured
from knowlog.stores.port import VectorStore
from knowlog.stores.settings import StoresSettings

ADAPTERS = {
    "pgvector": "knowlog.stores.adapters.pgvector:PgvectorStore",
    "memory": "knowlog.stores.adapters.memory:MemoryStore",
}


def open_store(settings: StoresSettings) -> VectorStore:
    """Open the vector store that the settings name. Raises Misconfigured."""
    if settings.vectors not in ADAPTERS:
        raise Misconfigured(
            f"There is no vector store {settings.vectors!r}."
            f" Set KNOWLOG_STORES_VECTORS to one of {', '.join(ADAPTERS)}."
        )
    module, _, attribute = ADAPTERS[settings.vectors].partition(":")
    store: VectorStore = getattr(import_module(module), attribute)()
    return store
