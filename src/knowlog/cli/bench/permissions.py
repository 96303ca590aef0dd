"""`knowlog bench permissions`: what it costs that not everybody may see everything, and what is missed for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter
from typing import Annotated
from uuid import UUID, uuid4

import numpy as np
import typer

from knowlog.cli.bench.bare import Bare, open_bare
from knowlog.cli.bench.loading import COLLECTION, every
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.recombined import recombined, sentence_pool, serve_means
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.scale import LEAST, grow, until_near_index
from knowlog.cli.bench.system import System
from knowlog.cli.output import progress, say
from knowlog.database import Scope
from knowlog.documents import get_documents
from knowlog.evaluation import BeirDataset, load_beir, mean, overlap, percentile
from knowlog.retrieval import Search, retrieve
from knowlog.stores import VectorQuery

_POOL = 5_000
_DEPTH = 100
_TOP = 10
_ROUNDS = 3
_NAMED = 2
"""Small groups that each document's list names."""
_LARGE = {0: 50, 1: 10}
"""How many percent of the documents name the first two groups as well."""
_LOOKS = 500
_PORTION = 2_000

Chunks = Annotated[int, typer.Option("--chunks", min=LEAST, help="How many chunks, one a document.")]
Groups = Annotated[int, typer.Option("--groups", min=100, help="Groups that the lists name.")]
Revocations = Annotated[int, typer.Option("--revocations", min=0, help="How many grants to take back.")]


def permissions(
    data: Data,
    chunks: Chunks = 100_000,
    groups: Groups = 1_000,
    revocations: Revocations = 10_000,
    limit: MostQuestions = 200,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Search --chunks documents, each for a few of --groups groups, as callers who see 1, 10, 50 and 100 % of them.

    The corpus is that of `bench scale`. A search is all of it: the question is embedded, both legs run, passages are
    fetched. Each question is asked by everybody in turn; permissions_ratio is the p50 of those who are limited to
    their groups, all together, by the p50 of the one who is not. dense_recall@10 compares each caller's dense leg with
    an exact scan of what that caller may see. stale counts what was still shown, by a look-up or a search, after a
    grant was taken back. absent_ratio is the p50 of asking for a document that is hidden by that of asking for one
    that does not exist.
    """
    dataset = load_beir(data)
    sentences = sentence_pool(dataset, _POOL)
    run_bench(
        lambda system: _Bench(system, dataset, groups, revocations, limit).measure(sentences, chunks),
        url,
        operator_key,
        json,
        environment=None if url else serve_means(sentences),
    )


@dataclass(frozen=True, slots=True)
class _Bench:
    system: System
    dataset: BeirDataset
    groups: int
    revocations: int
    limit: int | None

    async def measure(self, sentences: Sequence[str], chunks: int) -> Report:
        questions = every(list(self.dataset.questions.values()), self.limit)
        await self.system.api.post("/v1/collections", {"name": COLLECTION})
        await grow(self.system, recombined(sentences, chunks))
        async with open_bare(self.system) as bare:
            await until_near_index(bare)
            groups = [uuid4() for _ in range(self.groups)]
            await _give_lists(bare, groups)
            callers = _callers(bare, groups)
            figures = {
                **await _latencies(bare, callers, questions),
                **await _recall(bare, callers, questions),
                **await _absence(bare, callers),
                **await _staleness(bare, groups[-1], questions, self.revocations),
            }
        named = {"data": self.dataset.name, "chunks": chunks, "groups": self.groups, "named": _NAMED}
        return Report({**figures, "questions": len(questions)}, {**named, "rounds": _ROUNDS, "depth": _DEPTH})


async def _give_lists(bare: Bare, groups: Sequence[UUID]) -> None:
    """Name two groups drawn at random for each document, besides one large group for a half and one for a tenth."""
    say(f"Naming some of {len(groups):,} groups for each document ...")
    async with bare.app.database.transaction(bare.scope) as connection:
        ids = [row["document_id"] for row in await connection.fetch("select document_id from documents")]
    draw = np.random.default_rng(5)
    small = draw.integers(len(_LARGE), len(groups), size=(len(ids), _NAMED))
    large = draw.random((len(ids), len(_LARGE))) < np.array(list(_LARGE.values())) / 100
    with progress() as bar:
        task = bar.add_task("Naming", total=len(ids), note="")
        for start in range(0, len(ids), _PORTION):
            rows = [
                (ids[n], [groups[g] for g in (*small[n], *np.flatnonzero(large[n]))])
                for n in range(start, min(start + _PORTION, len(ids)))
            ]
            async with bare.app.database.transaction(bare.scope) as connection:
                await connection.executemany(
                    "update documents set audience = $2 where document_id = $1", rows
                )
            bar.advance(task, len(rows))
    say("Tidying the tables up, as the database does by itself after a while ...")
    async with bare.app.database.owner() as owner:
        await owner.execute(
            "vacuum analyze knowlog.documents, knowlog.document_subjects, knowlog.vectors, knowlog.subject_vectors,"
            " knowlog.chunk_terms"
        )


def _callers(bare: Bare, groups: Sequence[UUID]) -> dict[str, Scope]:
    """One who sees all; one in five small groups, and two who are in a large one besides."""
    own = groups[len(_LARGE) : len(_LARGE) + len(groups) // 200]
    few = replace(bare.scope, subjects=frozenset(own))
    return {
        "unlimited": bare.scope,
        "1_percent": few,
        **{
            f"{percent}_percent": replace(few, subjects=frozenset([*own, groups[place]]))
            for place, percent in enumerate(_LARGE.values())
        },
    }


async def _latencies(bare: Bare, callers: Mapping[str, Scope], questions: Sequence[str]) -> dict[str, float]:
    """The p50 of a whole search in milliseconds for each caller, and what they are by the unlimited one's."""
    taken: dict[str, list[float]] = {name: [] for name in callers}
    with progress() as bar:
        task = bar.add_task("Searching", total=(_ROUNDS + 1) * len(questions), note="")
        for number in range(_ROUNDS + 1):  # the first warms up
            for place, question in enumerate(questions):
                order = list(callers)[place % len(callers) :] + list(callers)[: place % len(callers)]
                for name in order:
                    started = perf_counter()
                    await _search(bare, callers[name], question)
                    if number:
                        taken[name].append((perf_counter() - started) * 1000)
                bar.advance(task)
    whole = percentile(taken["unlimited"], 50)
    limited = {name: times for name, times in taken.items() if name != "unlimited"}
    together = [each for times in limited.values() for each in times]
    return {
        "permissions_ratio": percentile(together, 50) / whole,
        **{f"permissions_ratio_{name}": percentile(times, 50) / whole for name, times in limited.items()},
        **{f"p50_ms_{name}": percentile(times, 50) for name, times in taken.items()},
        **{f"p95_ms_{name}": percentile(times, 95) for name, times in taken.items()},
    }


async def _search(bare: Bare, scope: Scope, question: str) -> set[UUID]:
    search = Search(question, (bare.collection_id,))
    found = await retrieve(bare.app.database, scope, bare.app.embedder, bare.app.store, search)
    return {passage.document_id for passage in found.passages}


async def _recall(bare: Bare, callers: Mapping[str, Scope], questions: Sequence[str]) -> dict[str, float]:
    key = bare.app.embedder.profile.key
    vectors = [await bare.app.embedder.embed_query(question) for question in questions[:100]]
    figures: dict[str, float] = {}
    for name, scope in callers.items():
        say(f"Comparing with an exact scan: {name.replace('_', ' ')} ...")
        same = []
        async with bare.app.database.transaction(scope) as connection:
            for vector in vectors:
                near, exact = [
                    [
                        hit.chunk_id
                        for hit in await bare.app.store.search(
                            connection,
                            scope.tenant_id,
                            VectorQuery(
                                (bare.collection_id,), key, vector, _DEPTH, exact=whole, enough=_DEPTH // 2
                            ),
                        )
                    ]
                    for whole in (False, True)
                ]
                same.append(overlap(near, exact, _TOP))
            shown = await connection.fetchval("select count(*) from documents")
        figures |= {f"dense_recall@10_{name}": mean(same), f"documents_{name}": shown}
    return figures


async def _absence(bare: Bare, callers: Mapping[str, Scope]) -> dict[str, float]:
    """Look hidden documents up, and such as do not exist, in turn; their ids are neighbours: neither is warmer."""
    scope = callers["1_percent"]
    async with bare.app.database.transaction(scope) as connection:
        seen = {row["document_id"] for row in await connection.fetch("select document_id from documents")}
    async with bare.app.database.transaction(bare.scope) as connection:
        rows = await connection.fetch("select document_id from documents limit $1", len(seen) + 2 * _LOOKS)
    hidden = [row["document_id"] for row in rows if row["document_id"] not in seen][:_LOOKS]
    taken: dict[str, list[float]] = {"hidden": [], "absent": []}
    for place, document in enumerate(hidden):
        pair = [("hidden", document), ("absent", UUID(int=document.int ^ 1))]
        for name, wanted in pair if place % 2 else reversed(pair):
            started = perf_counter()
            async with bare.app.database.transaction(scope) as connection:
                found = await get_documents(connection, scope, [wanted])
            taken[name].append((perf_counter() - started) * 1000)
            if found:
                raise AssertionError("A document was shown that is hidden.")
    return {"absent_ratio": median(taken["hidden"]) / median(taken["absent"])}


async def _staleness(bare: Bare, group: UUID, questions: Sequence[str], count: int) -> dict[str, float]:
    """Give one document to a caller and take it back, so many times; count what is shown afterwards."""
    scope = replace(bare.scope, subjects=frozenset([group]))
    async with bare.app.database.transaction(scope) as connection:
        document = await connection.fetchval("select document_id from documents limit 1")
    stale = unseen = 0
    with progress() as bar:
        task = bar.add_task("Taking back", total=count, note="")
        for number in range(count):
            unseen += not await _shown_after(bare, scope, document, [group])
            stale += await _shown_after(bare, scope, document, [])
            if number % 10 == 0:
                stale += document in await _search(bare, scope, questions[number % len(questions)])
            bar.advance(task)
    return {"revocations": count, "stale": stale, "grants_not_seen": unseen}


async def _shown_after(bare: Bare, scope: Scope, document: UUID, subjects: list[UUID]) -> bool:
    """Whether a document is shown in `scope` right after it was given that list."""
    async with bare.app.database.transaction(bare.scope) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = $1", document, subjects
        )
    async with bare.app.database.transaction(scope) as connection:
        return bool(await get_documents(connection, scope, [document]))
