"""What patterns find and what they cost, each question asked of one after the other."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from knowlog.cli.bench.connection import Connections
from knowlog.cli.bench.judged import Judged
from knowlog.cli.bench.loading import COLLECTION
from knowlog.cli.output import progress
from knowlog.evaluation import mean, ndcg, percentile, recall

BASE = "hybrid"
_WARM_UP = 5
_LIMIT = 10


@dataclass
class Cost:
    """Latencies and what was spent, one entry for each question."""

    took_ms: list[float] = field(default_factory=list)
    tokens: list[float] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    ndcg: list[float] = field(default_factory=list)
    recall: list[float] = field(default_factory=list)


async def measure_patterns(
    api: Connections, judged: Judged, asked: Sequence[str], patterns: Sequence[str]
) -> dict[str, Cost]:
    """Ask each question by every pattern, one search at a time; the one that begins changes with each question.

    So all of them are timed under the same load.
    """
    found = {name: Cost() for name in patterns}
    for name in patterns:
        for question_id in asked[:_WARM_UP]:
            await _ask(api, judged.questions[question_id], name)
    with progress() as bar:
        task = bar.add_task("Searching", total=len(asked), note="")
        for number, question_id in enumerate(asked):
            first = number % len(patterns)
            for name in (*patterns[first:], *patterns[:first]):
                await _note(api, judged, question_id, name, found[name])
            bar.advance(task)
    return found


async def _note(api: Connections, judged: Judged, question_id: str, pattern: str, cost: Cost) -> None:
    started = perf_counter()
    answer = await _ask(api, judged.questions[question_id], pattern)
    cost.took_ms.append((perf_counter() - started) * 1000)
    spent = answer["cost"]
    cost.tokens.append(spent["embedded_tokens"] + spent["model_tokens"])
    cost.calls.append(spent["calls"])
    ranking = list(dict.fromkeys(each["external_id"] for each in answer["passages"]))
    cost.ndcg.append(ndcg(ranking, judged.judgements[question_id], _LIMIT))
    cost.recall.append(recall(ranking, judged.judgements[question_id], _LIMIT))


async def _ask(api: Connections, question: str, pattern: str) -> dict[str, Any]:
    wanted = {
        "question": question, "collections": [COLLECTION], "limit": _LIMIT, "explain": True, "pattern": pattern,
    }  # fmt: skip
    answer: dict[str, Any] = await api.post("/v1/search", wanted)
    return answer


def figures(costs: dict[str, Cost]) -> dict[str, dict[str, float]]:
    """Return the figures of each pattern; ratios are over the plain search of the same questions."""
    base = percentile(costs[BASE].took_ms, 50)
    return {
        name: {
            "ndcg@10": mean(cost.ndcg),
            "recall@10": mean(cost.recall),
            "p50_ms": percentile(cost.took_ms, 50),
            "p50_ratio": percentile(cost.took_ms, 50) / base,
            "mean_ratio": mean(cost.took_ms) / mean(costs[BASE].took_ms),
            "tokens": mean(cost.tokens),
            "calls": mean(cost.calls),
        }
        for name, cost in costs.items()
    }
