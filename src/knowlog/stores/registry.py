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


def open_shared_store(settings: StoresSettings) -> VectorStore:
    """Open a store that servers and workers see alike. Raises Misconfigured for one that a process has for itself."""
    if settings.vectors == "memory":
        raise Misconfigured(
            "The vector store memory is one process's own: a server would not see what a worker writes, and a restart"
            " would lose it. Set KNOWLOG_STORES_VECTORS=pgvector; memory is for tests of your own."
        )
    return open_store(settings)
