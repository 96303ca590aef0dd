"""The bare work that a request stands for, in this process: no HTTP, no keys, nothing rendered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from knowlog.bootstrap import App, open_app
from knowlog.cli.bench.loading import COLLECTION
from knowlog.cli.bench.system import System
from knowlog.database import Scope
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.stores import LexicalQuery, VectorQuery, lexical_scores, lexical_search, term_statistics


@dataclass(frozen=True, slots=True)
class Bare:
    """The system's own database and model, opened a second time, here."""

    app: App
    scope: Scope
    collection_id: UUID

    async def search(self, question: str, depth: int) -> int:
        """Embed the question and run the statements of both legs; nothing is joined or shown."""
        vector = await self.app.embedder.embed_query(question)
        async with self.app.database.transaction(self.scope) as connection:
            statistics = await term_statistics(connection, (self.collection_id,), question)
            lexical = await lexical_search(connection, statistics, LexicalQuery((self.collection_id,), depth))
            query = VectorQuery((self.collection_id,), self.app.embedder.profile.key, vector, depth)
            dense = await self.app.store.search(connection, self.scope.tenant_id, query)
            by_words, by_meaning = {hit.chunk_id for hit in lexical}, {hit.chunk_id for hit in dense}
            if missing := by_words - by_meaning:
                await self.app.store.score(connection, self.scope.tenant_id, query, list(missing))
            if missing := by_meaning - by_words:
                await lexical_scores(connection, statistics, list(missing))
        return len(by_words | by_meaning)

    async def at(self, system: System, collection: str) -> "Bare":
        """The same, at another collection."""
        found = await system.api.get(f"/v1/collections/{collection}")
        return Bare(self.app, self.scope, UUID(found["collection_id"]))

    async def count_chunks(self) -> int:
        """How many chunks the collection holds."""
        async with self.app.database.transaction(self.scope) as connection:
            return await self.app.store.count(
                connection, self.scope.tenant_id, self.collection_id, self.app.embedder.profile.key
            )


@asynccontextmanager
async def open_bare(system: System, collection: str = COLLECTION) -> AsyncIterator[Bare]:
    """Open the database and model of the measured system.

    Raises Misconfigured when they are not within reach.
    """
    collection_id = UUID((await system.api.get(f"/v1/collections/{collection}"))["collection_id"])
    async with open_app(system.settings) as app:
        bare = Bare(app, Scope(system.tenant_id, "benchmark"), collection_id)
        try:
            await bare.count_chunks()
        except KnowlogError as error:
            raise Misconfigured(
                "The bare work needs the server's own database. Run this on its machine, with its settings."
            ) from error
        yield bare
