"""The vectors of versions that are being indexed: by the configured model, and by older ones that answer still."""

import logging
from collections.abc import Collection, Sequence
from time import monotonic
from uuid import UUID

from opentelemetry import trace

from knowlog.bus import notify_counts
from knowlog.database import Database, Scope, load_queries
from knowlog.embedding import Embedder, OpenModel
from knowlog.ingestion.states import set_states
from knowlog.ingestion.work import Made, Outdated, Prepared, Source, ids_and_versions
from knowlog.kernel.errors import KnowlogError
from knowlog.stores import Vectors, VectorStore
from knowlog.tenants import LimitsSettings, allowance, check, spend

_SQL = load_queries("knowlog.ingestion")
_LOG = logging.getLogger("knowlog.ingestion")
_TRACER = trace.get_tracer("knowlog")
_SLICE = 64
"""Texts that are embedded at a time: between two slices others have their turn, and a deletion is noticed."""
_REST_S = 60.0
"""A model that failed, where another makes a document findable, is left alone for so long."""


class VectorMaker:
    """Embeds what is indexed. While a collection changes from one model to another, either of the two may fail."""

    def __init__(
        self,
        database: Database,
        store: VectorStore,
        model: Embedder,
        open_model: OpenModel,
        limits: LimitsSettings,
    ) -> None:
        self._database = database
        self._store = store
        self._model = model
        self._open_model = open_model
        self._limits = limits
        self._resting: dict[str, float] = {}

    async def models_for(self, sources: Sequence[Source]) -> dict[str, Embedder]:
        """The models by which these are embedded: the configured one, and older ones that answer still."""
        models = {self.key: self._model}
        for key in {source.answering_key for source in sources if source.answering_key}:
            if key not in models and not self._rests(key):
                try:
                    models[key] = await self._open_model(key)
                except KnowlogError as error:
                    self._let_rest(key, error)
        return models

    @property
    def key(self) -> str:
        """The embedding key of the configured model."""
        return self._model.profile.key

    def _rests(self, key: str) -> bool:
        return monotonic() < self._resting.get(key, 0.0)

    def _let_rest(self, key: str, error: KnowlogError) -> None:
        self._resting[key] = monotonic() + _REST_S
        _LOG.warning("nothing is embedded for %s for %.0f s: %s", key, _REST_S, error.detail)

    async def embed(self, scope: Scope, prepared: Sequence[Prepared], models: dict[str, Embedder]) -> Made:
        """Make the vectors of each document, by the model that answers for it and by the configured one.

        One of the two may fail. Raises what the configured one raised where a document has no vectors at all, and
        LimitReached when the tenant has had embedded what it may in a day.
        """
        async with self._database.transaction(scope) as connection:
            allowed = await allowance(connection, self._limits, None)
            await check(connection, allowed, ["embedding_tokens_per_day"])
            await set_states(connection, "embedding", [item.source.event for item in prepared])
        made: Made = {}
        for key, model in models.items():
            if key == self.key:
                continue
            items = [item for item in prepared if item.source.answering_key == key]
            try:
                made[key] = await self._vectors(scope, items, model)
            except KnowlogError as error:
                self._let_rest(key, error)
        suffices = all(item.source.answering_key in made for item in prepared)
        if suffices and self._rests(self.key):
            return made
        try:
            made[self.key] = await self._vectors(scope, prepared, self._model)
        except KnowlogError as error:
            if not suffices:
                raise
            self._let_rest(self.key, error)
        return made

    async def _vectors(
        self, scope: Scope, prepared: Sequence[Prepared], model: Embedder
    ) -> dict[UUID, Vectors]:
        """Vectors by content hash. A text that this tenant has had embedded before is not embedded again."""
        wanted = {digest: text for item in prepared for digest, text in item.texts()}
        async with self._database.transaction(scope) as connection:
            known = await self._store.known_vectors(
                connection, scope.tenant_id, model.profile.key, list(wanted)
            )
        missing = [digest for digest in wanted if digest not in known]
        vectors = dict(known)
        with _TRACER.start_as_current_span("embed", attributes={"chunks": len(missing)}):
            for start in range(0, len(missing), _SLICE):
                if start:
                    await self._require_current(scope, prepared, vectors.keys())
                digests = missing[start : start + _SLICE]
                made = await model.embed_documents([wanted[digest] for digest in digests])
                vectors |= dict(zip(digests, made, strict=True))
        await self._count_tokens(scope, prepared, missing)
        return vectors

    async def _count_tokens(
        self, scope: Scope, prepared: Sequence[Prepared], embedded: Sequence[UUID]
    ) -> None:
        """Count the tokens of texts that were embedded just now."""
        if not embedded:
            return
        tokens = dict(pair for item in prepared for pair in zip(item.hashes, item.tokens, strict=True))
        async with self._database.transaction(scope) as connection:
            await connection.execute("set local synchronous_commit = off")
            await spend(connection, "embedding_tokens", sum(tokens[digest] for digest in embedded))

    async def _require_current(
        self, scope: Scope, prepared: Sequence[Prepared], done: Collection[UUID]
    ) -> None:
        """Raise Outdated when every one of the documents was deleted or replaced meanwhile; tell how far they are."""
        ids, versions = ids_and_versions(prepared)
        async with self._database.transaction(scope) as connection:
            if not await connection.fetchval(_SQL["any_current"], ids, versions):
                raise Outdated
            counts = {
                item.source.event.subject: (sum(digest in done for digest in item.hashes), len(item.hashes))
                for item in prepared
            }
            await notify_counts(connection, scope.tenant_id, counts)
