"""`knowlog bench scale`: whether searches stay fast and right when a collection grows."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Annotated, Any

import typer

from knowlog.cli.bench.bare import Bare, open_bare
from knowlog.cli.bench.loading import COLLECTION, Text, every, until_indexed, upload
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.recombined import recombined, sentence_pool, serve_means
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import progress, say
from knowlog.evaluation import BeirDataset, load_beir, mean, overlap, percentile
from knowlog.kernel.errors import Unavailable
from knowlog.stores import Hit, LexicalQuery, VectorQuery, lexical_search, term_statistics

_SMALL = 5_000
_SMALL_COLLECTION = "small"
LEAST = 25_000  # from 20,000 on a collection has an index of its own
_DEPTH = 100
_TOP = 10
_POOL = 5_000
_INDEX_TIMEOUT_S = 900.0
_TABLES = ("chunks", "chunk_terms", "vectors")

Chunks = Annotated[int, typer.Option("--chunks", min=LEAST, help="How many chunks to grow to.")]


def scale(
    data: Data,
    chunks: Chunks = 100_000,
    limit: MostQuestions = 200,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Fill a collection with 5,000 chunks and one with --chunks, sentences of a BEIR corpus recombined; search in both.

    A chunk is a text of three out of 5,000 sentences, uploaded through the API. The private system has these
    embedded by an endpoint of this process: the mean of MiniLM's vectors of the three sentences, moved a little
    in a random direction, because the model itself would need most of an hour; questions are embedded by MiniLM.
    With --url the server's own model embeds everything. So the figures say how well the indexes do beside an
    exact scan of the same vectors and words, and nothing about how good a model is.

    lexical_p50_growth and dense_p50_growth compare each leg's latency, both collections asked in turns, once without
    being timed; lexical_overlap@10 compares with BM25
    over every chunk that holds any word of the question; dense_recall@10 with an exact scan; sequential_scans
    counts those of the large tables during the measured searches, and must be 0.
    """
    dataset = load_beir(data)
    sentences = sentence_pool(dataset, _POOL)
    run_bench(
        lambda system: _measure(system, dataset, recombined(sentences, chunks), limit),
        url,
        operator_key,
        json,
        environment=None if url else serve_means(sentences),
    )


@dataclass(frozen=True, slots=True)
class _Legs:
    """Both legs by themselves, with the bare work's connection to the database."""

    bare: Bare
    vectors: dict[str, Any]

    async def lexical(self, question: str, *, prune: bool = True) -> list[Hit]:
        where = (self.bare.collection_id,)
        async with self.bare.app.database.transaction(self.bare.scope) as connection:
            statistics = await term_statistics(connection, where, question)
            return await lexical_search(connection, statistics, LexicalQuery(where, _DEPTH, prune=prune))

    async def dense(self, question: str, *, exact: bool = False) -> list[Hit]:
        key = self.bare.app.embedder.profile.key
        query = VectorQuery((self.bare.collection_id,), key, self.vectors[question], _DEPTH, exact=exact)
        async with self.bare.app.database.transaction(self.bare.scope) as connection:
            return await self.bare.app.store.search(connection, self.bare.scope.tenant_id, query)


async def _measure(system: System, dataset: BeirDataset, texts: Sequence[Text], limit: int | None) -> Report:
    questions = every(list(dataset.questions.values()), limit)
    for name, part in ((_SMALL_COLLECTION, texts[:_SMALL]), (COLLECTION, texts)):
        await system.api.post("/v1/collections", {"name": name})
        await grow(system, part, name)
    async with open_bare(system) as bare:
        vectors = {each: await bare.app.embedder.embed_query(each) for each in questions}
        legs, few = _Legs(bare, vectors), _Legs(await bare.at(system, _SMALL_COLLECTION), vectors)
        await until_near_index(bare)
        await _latencies(few, legs, questions)  # the first pass reads what the second finds in memory
        before = await _sequential_scans(bare)
        small, large = await _latencies(few, legs, questions)
        scans = await _sequential_scans(bare) - before
        quality = await _quality(legs, questions)
        stored = await bare.count_chunks()
    figures = {
        "lexical_p50_growth": large["lexical"] / small["lexical"],
        "dense_p50_growth": large["dense"] / small["dense"],
        **quality,
        **{f"{name}_p50_ms_small": value for name, value in small.items()},
        **{f"{name}_p50_ms_large": value for name, value in large.items()},
        "sequential_scans": scans,
        "chunks": stored,
        "questions": len(questions),
    }
    settings = {"data": dataset.name, "small": _SMALL, "depth": _DEPTH, "sentences": _POOL}
    return Report(figures, {**settings, "embedding": system.settings.embedding.model})


async def grow(system: System, texts: Sequence[Text], collection: str = COLLECTION) -> None:
    """Bring texts into a collection, and wait until all are indexed."""
    with progress() as bar:
        task = bar.add_task(f"Growing to {len(texts):,}", total=len(texts), note="")
        sending = asyncio.create_task(upload(system.api, texts, collection))
        await until_indexed(system.api, len(texts), collection, lambda done: bar.update(task, completed=done))
        await sending


async def _latencies(few: _Legs, many: _Legs, questions: Sequence[str]) -> tuple[dict[str, float], ...]:
    """The p50 of each leg in both collections, in ms; asked in turns, so that a busy machine is busy for both."""
    times: tuple[dict[str, list[float]], ...] = ({}, {})
    for question in questions:
        for legs, found in zip((few, many), times, strict=True):
            for name, leg in _named(legs):
                found.setdefault(name, []).append(await _time_ms(leg, question))
    few_p50, many_p50 = ({name: percentile(own, 50) for name, own in found.items()} for found in times)
    return few_p50, many_p50


def _named(legs: _Legs) -> tuple[tuple[str, Callable[[str], Awaitable[object]]], ...]:
    return (("lexical", legs.lexical), ("dense", legs.dense))


async def _time_ms(leg: Callable[[str], Awaitable[object]], question: str) -> float:
    started = perf_counter()
    await leg(question)
    return (perf_counter() - started) * 1000


async def _quality(legs: _Legs, questions: Sequence[str]) -> dict[str, float]:
    lexical, dense = [], []
    for question in questions:
        pruned, whole = await legs.lexical(question), await legs.lexical(question, prune=False)
        lexical.append(overlap(_ids(pruned), _ids(whole), _TOP))
        near, exact = await legs.dense(question), await legs.dense(question, exact=True)
        dense.append(overlap(_ids(near), _ids(exact), _TOP))
    return {"lexical_overlap@10": mean(lexical), "dense_recall@10": mean(dense)}


def _ids(hits: Sequence[Hit]) -> list[int]:
    return [hit.chunk_id for hit in hits]


async def until_near_index(bare: Bare) -> None:
    """Wait until the collection has an index of its own, and the statistics of its growth are folded in."""
    say("Waiting for the collection's index ...")
    deadline = monotonic() + _INDEX_TIMEOUT_S
    while monotonic() < deadline:
        async with bare.app.database.owner() as owner:
            key = bare.app.embedder.profile.key
            ready = await owner.fetchval("select knowlog.has_near_index($1, $2)", bare.collection_id, key)
            unfolded = await owner.fetchval("select exists (select from knowlog.statistics_changes)")
        if ready and not unfolded:
            return
        await asyncio.sleep(1)
    raise Unavailable("The collection has got no index of its own. Does a worker run?")


async def _sequential_scans(bare: Bare) -> int:
    """How often PostgreSQL has read a large table from end to end; sessions report with a delay."""
    await asyncio.sleep(2)
    async with bare.app.database.owner() as owner:
        found: int = await owner.fetchval(
            "select coalesce(sum(seq_scan), 0)::bigint from pg_stat_user_tables"
            " where schemaname = 'knowlog' and relname = any($1)", list(_TABLES)
        )  # fmt: skip
        return found
