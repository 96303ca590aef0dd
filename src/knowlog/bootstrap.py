"""Wire the rooms together: the only file that names what stands behind each port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from knowlog.chunking import ChunkingProfile, LanguageModel, open_language_model, require_models
from knowlog.database import Database, Scope, open_database
from knowlog.documents import (
    BlobStore,
    CollectionReceipt,
    DeletionReceipt,
    Pieces,
    Profile,
    Receiver,
    open_blob_store,
)
from knowlog.embedding import Embedder, Models, open_embedder
from knowlog.evaluation import Asked, QuestionKeeper
from knowlog.faithfulness import Judge, open_judge
from knowlog.ingestion import (
    Builder,
    GuardedBlobs,
    Indexer,
    Parser,
    delete_document,
    delete_whole_collection,
    remove_originals,
)
from knowlog.kernel.errors import Invalid
from knowlog.kernel.wording import wrong_with
from knowlog.llm import OwnModels, Provider, TenantAccount, open_providers
from knowlog.resilience import Dependency, Guarded
from knowlog.retrieval import LazyWriter, ProviderWriter, RetrievalProfile, Writer, require_pattern
from knowlog.settings import Settings
from knowlog.sources import Inbox
from knowlog.stores import VectorStore, open_shared_store
from knowlog.summarizing import Means
from knowlog.tenants import (
    Limiter,
    Vault,
    all_wrappings,
    complete_receipt,
    delete_tenant,
    open_vault,
    require_key,
    require_opening,
)


@dataclass(frozen=True, slots=True)
class App:
    """What api, cli and workers share: one process's connections and models."""

    settings: Settings
    database: Database
    blobs: BlobStore
    receiver: Receiver
    pieces: Pieces
    embedder: Embedder
    models: Models
    store: VectorStore
    parser: Parser
    indexer: Indexer
    builder: Builder
    inbox: Inbox
    language: LanguageModel | None
    vault: Vault
    limiter: Limiter
    judge: Judge
    questions: QuestionKeeper
    providers: tuple[Provider, ...]
    own_models: OwnModels

    @property
    def asked(self) -> Asked:
        """What a run asks its questions of: the same that a request to the API is answered with."""
        return Asked(
            self.database, self.embedder, self.store, self.models.open, self.judge, self.writing, self.limiter,
            self.providers_of, self.settings.llm.max_tokens,
        )  # fmt: skip

    @property
    def dependencies(self) -> list[Dependency]:
        """How each model that the installation asks over the network stands; not what tenants brought themselves."""
        parts = (self.embedder, self.judge, self.language, self.blobs, *self.providers)
        return [each.guard.look() for each in parts if isinstance(each, Guarded)]

    @property
    def summarizing(self) -> Means:
        """What summaries are made with."""
        return Means(
            self.database, self.embedder, self.store, self.models.open, self.judge, self.limiter,
            self.providers_of, self.settings.llm.max_tokens,
        )  # fmt: skip

    async def providers_of(self, scope: Scope) -> tuple[Provider, ...]:
        """The language models for a tenant's questions, in the order in which they are asked: its own before the
        operator's. Raises Unavailable.
        """
        found = await self.own_models.of(scope)
        if found is None:
            return self.providers
        own, provider = found
        return (provider,) if own.alone else (provider, *self.providers)

    @asynccontextmanager
    async def writing(self, scope: Scope) -> AsyncIterator[Writer]:
        """The language model that retrieval patterns ask, on the caller's account; looked up when one is asked."""
        account = TenantAccount(self.database, self.limiter, scope)

        async def first() -> Writer | None:
            providers = await self.providers_of(scope)
            return ProviderWriter(providers[0], account, self.settings.llm.max_tokens) if providers else None

        try:
            yield LazyWriter(first)
        finally:
            await account.settle()

    def complete_profile(self, profile: Profile, *, has_model: bool | None = None) -> Profile:
        """Return the profile with every default written out. Raises Invalid for what no room understands.

        `has_model`: whether patterns have a language model to ask; None: as the operator has set it.
        """
        if profile.answering:
            raise Invalid("The profile's section answering has no settings yet. Leave it out.")
        chunking = ChunkingProfile.read(profile.chunking, self.embedder.profile.window_tokens)
        require_models(chunking, self.language)
        try:
            retrieval = RetrievalProfile(**profile.retrieval)
        except ValidationError as error:
            first = error.errors()[0]
            raise Invalid(f"retrieval.{'.'.join(map(str, first['loc']))} {wrong_with(first)}.") from error
        known = bool(self.providers) if has_model is None else has_model
        require_pattern(retrieval.pattern, has_model=known)
        return profile.model_copy(
            update={"chunking": chunking.settled(), "retrieval": retrieval.model_dump()}
        )

    async def completed_profile(self, scope: Scope, profile: Profile) -> Profile:
        """As `complete_profile`, for a tenant that may have a language model of its own."""
        has_model = bool(self.providers) or bool(await self.providers_of(scope))
        return self.complete_profile(profile, has_model=has_model)

    def at(self, database: Database) -> "App":
        """The same, working in one database of the installation: what it announces to a broker is told apart."""
        bus = self.settings.bus
        prefix = f"{bus.prefix}.{database.name}" if database.name else bus.prefix
        settings = replace(self.settings, bus=bus.model_copy(update={"prefix": prefix}))
        return replace(self, database=database, settings=settings)

    async def delete_document(
        self, scope: Scope, document_id: UUID, expected: int | None = None
    ) -> DeletionReceipt:
        """Delete a document everywhere. See `ingestion.delete_document`."""
        return await delete_document(self.database, self.store, scope, document_id, expected)

    async def delete_collection(self, scope: Scope, name_or_id: str) -> CollectionReceipt:
        """Delete a collection with everything in it. See `ingestion.delete_whole_collection`."""
        return await delete_whole_collection(self.database, self.store, scope, name_or_id)

    async def delete_tenant(self, tenant_id: UUID) -> dict[str, Any]:
        """Delete a tenant: every row, then the original bytes. Returns the receipt. Raises NotFound."""
        receipt = await delete_tenant(self.database, tenant_id)
        return await self.finish_receipt(tenant_id) or receipt

    async def finish_receipt(self, tenant_id: UUID) -> dict[str, Any] | None:
        """Remove the original bytes of a tenant that is deleted, and say so in its receipt."""
        removed, left = await remove_originals(self.blobs, tenant_id)
        return await complete_receipt(self.database, tenant_id, removed, left)


def is_here(settings: Settings) -> bool:
    """Whether all data is on this machine, in the embedded PostgreSQL: a laptop, a trial, a developer's."""
    return settings.database.url is None


def require_safe(settings: Settings) -> None:
    """Raise Misconfigured for settings with which a server of many customers must not run."""
    require_key(settings.secrets, settings.data_dir, here=is_here(settings))


async def require_key_of_stored(app: App) -> None:
    """Raise Misconfigured where what tenants have entrusted does not open with the present key."""
    require_opening(app.vault, await all_wrappings(app.database))


async def _open_vault(settings: Settings, database: Database) -> Vault:
    """The vault. A key is made for a database that needs none yet; one that is lost is not replaced."""
    new = not await all_wrappings(database)
    return open_vault(settings.secrets, settings.data_dir, here=is_here(settings) and new)


def _open_blobs(settings: Settings) -> BlobStore:
    """The blob store; behind a guard where it stands elsewhere."""
    blobs = open_blob_store(settings.documents, settings.data_dir)
    return GuardedBlobs(blobs, "blob store") if settings.documents.blobs.startswith("s3://") else blobs


def _transport_of_tenants(settings: Settings) -> Any:
    """Over which addresses are called that a tenant has named."""
    from knowlog.edge import ReachTransport, reach_of_models  # loads the client of HTTP, which few need

    return ReachTransport(reach_of_models(settings.llm.private_hosts))


@asynccontextmanager
async def open_app(settings: Settings) -> AsyncIterator[App]:
    """Open everything that the settings name, and close it at the end. Raises Misconfigured or Unavailable."""
    async with AsyncExitStack() as stack:
        # On a first start both take seconds, and neither needs the other.
        model = asyncio.create_task(asyncio.to_thread(open_embedder, settings.embedding, settings.data_dir))
        try:
            database = await open_database(settings.database, settings.data_dir)
        except BaseException:
            await asyncio.wait([model])
            raise
        stack.push_async_callback(database.close)
        embedder = await model
        stack.push_async_callback(embedder.close)
        models = Models(embedder, settings.embedding, settings.data_dir)
        stack.push_async_callback(models.close)
        parser = Parser(settings.parsing)
        stack.push_async_callback(parser.close)
        blobs = _open_blobs(settings)
        store = open_shared_store(settings.stores)
        language = open_language_model(settings.chunking)
        receiver = Receiver(blobs, settings.documents, settings.limits)
        limiter = Limiter(database, settings.limits)
        limiter.start()
        stack.push_async_callback(limiter.close)
        judge = open_judge(settings.faithfulness)
        stack.push_async_callback(judge.close)
        providers = open_providers(settings.llm)
        for provider in providers:
            stack.push_async_callback(provider.close)
        vault = await _open_vault(settings, database)
        own_models = OwnModels(database, vault, settings.llm, partial(_transport_of_tenants, settings))
        stack.push_async_callback(own_models.close)

        async def fetch_url(url: str, most_bytes: int | None) -> tuple[bytes, str, str | None]:
            from knowlog.edge import fetch  # loads the client of HTTP, which few need

            limit = settings.documents.max_upload_bytes
            got = await fetch(url, settings.api, min(most_bytes or limit, limit))
            return got.content, got.filename, got.media_type

        yield App(
            settings, database, blobs, receiver, Pieces(blobs, settings.documents, settings.limits), embedder, models,
            store, parser,
            Indexer(database, blobs, parser, embedder, store, settings.worker, models.open,
                settings.parsing.max_chunks, settings.limits, language),
            Builder(database, embedder, store, models.open, settings.parsing.max_chunks, settings.limits, language),
            Inbox(database, blobs, receiver, store, fetch_url, settings.sources), language, vault, limiter,
            judge, QuestionKeeper(database), providers, own_models,
        )  # fmt: skip
