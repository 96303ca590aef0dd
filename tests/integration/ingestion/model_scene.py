"""Processes with models of their own, documents in them, and what a question is answered with."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import numpy as np

from knowlog.bootstrap import App, open_app
from knowlog.bus import claim, complete
from knowlog.database import Scope
from knowlog.documents import Collection, Profile, Upload, create_collection, get_collection
from knowlog.embedding import Embedder, EmbeddingProfile
from knowlog.ingestion import Indexer, Rebuilder
from knowlog.kernel.errors import Unavailable
from knowlog.retrieval import Retrieved, Search, retrieve
from knowlog.settings import load_settings

OLD, NEW = "fake-64-512", "fake-96-512"


class DownEmbedder:
    """A model whose endpoint is down."""

    profile = EmbeddingProfile("down", 32, 512, "openai-down-32-512")

    async def embed_documents(self, texts: Sequence[str]) -> np.ndarray:
        raise Unavailable("The embedding endpoint cannot be reached.")

    async def embed_query(self, text: str) -> np.ndarray:
        raise Unavailable("The embedding endpoint cannot be reached.")

    def token_offsets(self, text: str) -> np.ndarray:
        return np.arange(len(text.split()))

    async def close(self) -> None:
        """Nothing is held."""


@asynccontextmanager
async def app_with(server_dir: Path, **embedding: object) -> AsyncIterator[App]:
    """A process's App with a model of its own."""
    environ = {"KNOWLOG_DATA_DIR": str(server_dir), "KNOWLOG_EMBEDDING_MODEL": "fake"}
    environ |= {f"KNOWLOG_EMBEDDING_{name.upper()}": str(value) for name, value in embedding.items()}
    if url := os.environ.get("KNOWLOG_TEST_DATABASE_URL"):
        environ["KNOWLOG_DATABASE_URL"] = url
    async with open_app(load_settings(environ)) as opened:
        yield opened


def rebuilder(app: App, embedder: Embedder | None = None, **more: object) -> Rebuilder:
    return Rebuilder(app.database, embedder or app.embedder, app.store, f"test-{id(more)}", **more)


async def rebuild_all(app: App) -> None:
    """Work until every collection is done, those that other tests left included."""
    worker = rebuilder(app)
    for _ in range(500):
        if not await worker.rebuild():
            async with app.database.system() as connection:
                left = await connection.fetch("select * from embedding_overview()")
            if all(row["answering"] == NEW and row["building"] is None for row in left):
                return
            await asyncio.sleep(0.1)
    raise AssertionError(f"never done: {left}")


async def make_collection(app: App, scope: Scope, name: str = "notes") -> UUID:
    async with app.database.transaction(scope) as connection:
        made = await create_collection(connection, scope, name, app.complete_profile(Profile()))
    return made.collection_id


async def upload(app: App, scope: Scope, texts: dict[str, str], collection: str = "notes") -> dict[str, UUID]:
    """Take texts in. Returns the documents' ids by external id."""
    uploads = [Upload(name, f"{name}.txt", text.encode()) for name, text in texts.items()]
    async with app.database.transaction(scope) as connection:
        received = await app.receiver.receive(connection, scope, collection, uploads)
    return {each.document.external_id: each.document.document_id for each in received}


async def index_all(app: App, indexer: Indexer | None = None) -> None:
    """Index whatever waits, as a worker does."""
    while events := await claim(app.database, "test-worker", 60, 48):
        received = [event for event in events if event.type == "document.received"]
        await (indexer or app.indexer).index("test-worker", received)
        for event in events:
            if event not in received:  # bytes that may go
                async with app.database.transaction(Scope(event.tenant_id, "test-worker")) as connection:
                    await complete(connection, "test-worker", [event])


async def put(app: App, scope: Scope, texts: dict[str, str], collection: str = "notes") -> dict[str, UUID]:
    documents = await upload(app, scope, texts, collection)
    await index_all(app)
    return documents


def notes(count: int) -> dict[str, str]:
    return {f"note-{n}": f"Note {n}: the zebra{n} sleeps in stable{n} at noon." for n in range(count)}


async def ask(app: App, scope: Scope, question: str, *collections: UUID, **more: object) -> Retrieved:
    search = Search(question, collections, 5)
    more.setdefault("open_model", app.models.open)
    return await retrieve(app.database, scope, app.embedder, app.store, search, **more)


async def keys(app: App, scope: Scope, collection_id: UUID) -> dict[str, int]:
    """How many vectors a collection has under each key."""
    async with app.database.transaction(scope) as connection:
        rows = await connection.fetch(
            "select embedding_key, count(*) from vectors where collection_id = $1 group by 1", collection_id
        )
    return dict(rows)


async def shown(app: App, scope: Scope, name: str = "notes") -> Collection:
    async with app.database.transaction(scope) as connection:
        return await get_collection(connection, scope, name)


def by_both(found: Retrieved) -> bool:
    """Whether the best passage was found by words and by meaning."""
    return set(found.passages[0].legs) == {"dense", "lexical"}
