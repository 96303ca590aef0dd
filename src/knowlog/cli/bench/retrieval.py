"""`knowlog bench retrieval`: how well searches find what people judged relevant."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from knowlog.cli.bench.judged import judged_beir
from knowlog.cli.bench.loading import COLLECTION, ask_all, every, load_texts
from knowlog.cli.bench.options import Data, JsonFile, Model, MostQuestions, OperatorKey, Url, embedding_by
from knowlog.cli.bench.pattern_cost import BASE, figures, measure_patterns
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.evaluation import BeirDataset, load_beir, mean, ndcg, ranked, recall
from knowlog.retrieval import open_pattern

_DEPTH = 100
_PROFILE = {
    "chunking": {"size_tokens": 510, "overlap": 0.0},  # one chunk a document where it fits the model's window
    "retrieval": {"one_per_document": True},
}


def retrieval(
    data: Data,
    pattern: Annotated[
        str | None, typer.Option("--pattern", help="Search in this way, and time it beside the plain search.")
    ] = None,
    model: Model = None,
    limit: MostQuestions = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Search each judged question of a folder in BEIR's form: nDCG@10 and recall@100, and what each leg's own score
    makes of the fused candidates.

    Not the default profile: chunks of 510 tokens without overlap, one passage a document, so that a document is one
    chunk where it fits the model's window. The JSON's `settings` have it as `profile`.

    With --pattern, `p50_ratio` is its p50 over that of the plain search: the same questions, ten passages, one search at
    a time, in turns. `knowlog bench patterns` has all of them in one table.
    """
    dataset = load_beir(data)
    name = open_pattern(pattern).name if pattern else None
    fixed = embedding_by(model, url)
    run_bench(lambda system: _measure(system, dataset, name, limit), url, operator_key, json, fixed=fixed)


async def _measure(system: System, dataset: BeirDataset, pattern: str | None, limit: int | None) -> Report:
    judged = judged_beir(dataset)
    texts = judged.texts
    await load_texts(system.api, texts, _PROFILE)
    asked = every(list(dataset.questions), limit)

    async def search(question_id: str) -> list[dict[str, Any]]:
        wanted = {
            "question": dataset.questions[question_id],
            "collections": [COLLECTION],
            "limit": _DEPTH,
            "explain": True,
            "pattern": pattern,
        }
        found: list[dict[str, Any]] = (await system.api.post("/v1/search", wanted))["passages"]
        return found

    found = await ask_all(search, asked, "Searching")
    scored = [score(passages, dataset.judgements[each]) for each, passages in zip(asked, found, strict=True)]
    metrics = {name: mean(each[name] for each in scored) for name in scored[0]}
    if pattern:
        cost = figures(await measure_patterns(system.api, judged, asked, [BASE, pattern]))[pattern]
        metrics |= {name: cost[name] for name in ("p50_ms", "p50_ratio", "tokens", "calls")}
    settings = {
        "data": dataset.name,
        "depth": _DEPTH,
        "profile": _PROFILE,
        "pattern": pattern or BASE,
        "model": system.settings.embedding.model,
    }
    return Report({**metrics, "questions": len(asked), "documents": len(texts)}, settings)


def score(passages: list[dict[str, Any]], relevance: Mapping[str, int]) -> dict[str, float]:
    """The figures of one question: of the fused ranking, and of the fused candidates ranked by one leg's own score."""
    fused = ranked(best_scores(passages, lambda each: each["score"]))
    legs = {
        name: ranked(
            best_scores(passages, lambda each, name=name: (each["legs"].get(name) or {}).get("score"))
        )
        for name in ("lexical", "dense")
    }
    return {
        "ndcg@10": ndcg(fused, relevance, 10),
        "lexical_ndcg@10": ndcg(legs["lexical"], relevance, 10),
        "dense_ndcg@10": ndcg(legs["dense"], relevance, 10),
        "recall@100": recall(fused, relevance, 100),
    }


def best_scores(passages: list[dict[str, Any]], of: Any) -> dict[str, float]:
    """The best score of each document; passages without one are left out."""
    scores: dict[str, float] = {}
    for each in passages:
        value = of(each)
        if value is not None:
            scores[each["external_id"]] = max(value, scores.get(each["external_id"], value))
    return scores
