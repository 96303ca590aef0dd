"""Texts to chunks while documents are indexed, with the models that some strategies ask."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import CancelledError

import numpy as np
from numpy.typing import NDArray
from prometheus_client import Histogram

from knowlog.chunking import COMPARING, ChunkingProfile, LanguageModel, Models, Span, chunk
from knowlog.database import Database, Scope
from knowlog.documents import ParsedText
from knowlog.embedding import Embedder
from knowlog.ingestion.rows import rows_of
from knowlog.kernel.errors import ParseFailed, Unavailable
from knowlog.kernel.wording import counted
from knowlog.stores import ChunkRow
from knowlog.tenants import LimitsSettings, allowance, check, spend

_SECONDS = Histogram(
    "knowlog_chunking_seconds",
    "How long cutting a text took, the models included that its strategy asks.",
    ["strategy"],
    buckets=(0.001, 0.01, 0.1, 1, 10, 100),
)


class Cutter:
    """Cuts texts as profiles say. What strategies have embedded counts as the tenant's embedding tokens."""

    def __init__(
        self, database: Database, embedder: Embedder, language: LanguageModel | None, most_chunks: int,
        limits: LimitsSettings,
    ) -> None:  # fmt: skip
        self._database = database
        self._embedder = embedder
        self._language = language
        self._most_chunks = most_chunks
        self._limits = limits

    async def cut(self, scope: Scope, parsed: ParsedText, profile: ChunkingProfile) -> list[ChunkRow]:
        """Return the chunks of a text, as they are stored. Raises ParseFailed, LimitReached, and what a model raises that
        is asked.
        """
        comparing = profile.strategy in COMPARING
        if comparing:
            async with self._database.transaction(scope) as connection:
                allowed = await allowance(connection, self._limits, None)
                await check(connection, allowed, ["embedding_tokens_per_day"])
        embed = _Embed(self._embedder, asyncio.get_running_loop())
        models = Models(embed if comparing else None, self._language)
        try:
            with _SECONDS.labels(profile.strategy).time():
                chunks = await asyncio.to_thread(self._cut, parsed, profile, models)
        finally:
            if embed.tokens:
                async with self._database.transaction(scope) as connection:
                    await spend(connection, "embedding_tokens", embed.tokens)
        return chunks

    def _cut(self, parsed: ParsedText, profile: ChunkingProfile, models: Models) -> list[ChunkRow]:
        spans = chunk(
            parsed.text, profile, self._embedder.token_offsets, parsed.structure, models, parsed.media_type
        )
        self._require_sensible(spans)
        return rows_of(spans, parsed)

    def _require_sensible(self, spans: Sequence[Span]) -> None:
        if not spans:
            raise ParseFailed("There is no text in this file. If it is a scan, it needs a text layer.")
        if len(spans) > self._most_chunks:
            raise ParseFailed(
                f"The text is cut into {counted(len(spans), 'chunk')}; one document may have {self._most_chunks:,}."
                " Split the file, or choose larger chunks."
            )


class _Embed:
    """The embedder, for code that runs in another thread than its event loop; counts the tokens that it was given."""

    def __init__(self, embedder: Embedder, loop: asyncio.AbstractEventLoop) -> None:
        self._embedder = embedder
        self._loop = loop
        self.tokens = 0

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        self.tokens += sum(len(self._embedder.token_offsets(text)) for text in texts)
        made = asyncio.run_coroutine_threadsafe(self._embedder.embed_documents(texts), self._loop)
        try:
            return made.result()
        except CancelledError as error:
            raise Unavailable("The worker is stopping; the document is indexed by another.") from error
