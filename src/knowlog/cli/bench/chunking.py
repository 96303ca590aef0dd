"""`knowlog bench chunking`: how much of what answers a question is found, and how little else is read.

By the definitions of Smith and Troynikov, "Evaluating Chunking Strategies for Retrieval" (Chroma, 2024): all texts in
one index, five passages for each question. https://research.trychroma.com/evaluating-chunking
"""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from statistics import pstdev
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from knowlog.chunking import COMPARING, ChunkingProfile, Models, chunk
from knowlog.cli.bench.loading import Text, ask_all, every, load_texts
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import out, say, table
from knowlog.documents import ParsedText
from knowlog.embedding import Embedder, open_embedder
from knowlog.evaluation import (
    ExcerptDataset,
    ExcerptQuestion,
    load_excerpts,
    mean,
    precision_omega,
    span_iou,
    span_precision,
    span_recall,
)
from knowlog.ingestion import Parser

_PASSAGES = 5
_LEAST_IOU = 7.2
_UNTITLED = "-"
"""In the report a chunk is searched by itself; a title that says nothing leaves it so."""
_APART = 10
"""Characters between two texts, as one row of offsets."""

Range = tuple[int, int]


class Retrieval(StrEnum):
    """What the passages are found by."""

    DENSE = "dense"
    HYBRID = "hybrid"


RETRIEVAL: Mapping[Retrieval, Mapping[str, Any]] = {
    Retrieval.DENSE: {"dense_weight": 1.0},  # as in the report: by the vectors alone
    Retrieval.HYBRID: {},  # as collections are searched unless they say otherwise
}
STRATEGIES: Mapping[str, Mapping[str, Any]] = {
    "fixed-250": {"strategy": "fixed", "size_tokens": 250},
    "fixed-200": {"strategy": "fixed", "size_tokens": 200},
    "sliding_window-250": {"strategy": "sliding_window", "size_tokens": 250, "overlap": 0.49},
    "paragraph-250": {"strategy": "paragraph", "size_tokens": 250},
    "sentence-140": {"strategy": "sentence", "size_tokens": 140, "overlap": 0.0},
    "recursive-300": {"strategy": "recursive", "size_tokens": 300},
    "recursive-250": {"strategy": "recursive", "size_tokens": 250, "overlap": 0.0},
    "recursive-200": {"strategy": "recursive", "size_tokens": 200, "overlap": 0.0},
    "semantic-250": {"strategy": "semantic", "size_tokens": 250},
    "cluster_semantic-250": {"strategy": "cluster_semantic", "size_tokens": 250},
    "cluster_semantic-200": {"strategy": "cluster_semantic", "size_tokens": 200},
    "structure-200": {"strategy": "structure", "size_tokens": 200},
    "parent_child-200": {"strategy": "parent_child", "size_tokens": 200, "child_tokens": 60},
    "parent_child-200-shown-150": {"strategy": "parent_child", "size_tokens": 200, "child_tokens": 60},
}
"""By name and most tokens, with those sizes that the report has."""
SHOWN: Mapping[str, Mapping[str, Any]] = {
    "parent_child-200": {"dense_weight": 0.5, "passage_tokens": 175},
    "parent_child-200-shown-150": {"dense_weight": 0.5, "passage_tokens": 150},
}
"""What the retrieval profile says besides; by vectors alone, the weight is the report's."""

Only = Annotated[
    str | None,
    typer.Option("--strategy", help="Measure only these, with commas between them. [default: all]"),
]


def chunking(
    data: Data,
    retrieval: Annotated[
        Retrieval, typer.Option("--retrieval", help="By vectors alone as in the report, or by both legs.")
    ] = Retrieval.HYBRID,
    strategy: Only = None,
    limit: MostQuestions = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Ask questions whose answers' exact places are known, of texts cut by every strategy: recall, precision, IoU.

    The best strategy is the one with the highest recall of those with an IoU of at least 7.2 %, the published best.
    """
    dataset = load_excerpts(data)
    if dataset.left_out:
        say(f"{len(dataset.left_out)} questions are left out: their excerpts stand in no text of {data}.")
    chosen = _chosen(strategy)
    run_bench(lambda system: _measure(system, dataset, retrieval, chosen, limit), url, operator_key, json)


def _chosen(strategy: str | None) -> dict[str, Mapping[str, Any]]:
    if strategy is None:
        return dict(STRATEGIES)
    names = [name.strip() for name in strategy.split(",")]
    unknown = [name for name in names if name not in STRATEGIES]
    if unknown:
        raise typer.BadParameter(f"There is no {unknown[0]}. Choose of: {', '.join(STRATEGIES)}.")
    return {name: STRATEGIES[name] for name in names}


async def _measure(
    system: System, dataset: ExcerptDataset, retrieval: Retrieval, chosen: Mapping[str, Mapping[str, Any]],
    limit: int | None,
) -> Report:  # fmt: skip
    questions = every(list(dataset.questions), limit)
    offsets = _offsets(dataset.corpora)
    embedder = await asyncio.to_thread(open_embedder, system.settings.embedding, system.settings.data_dir)
    figures: dict[str, dict[str, float]] = {}
    try:
        parsed = await _parsed(system, dataset.corpora)
        for number, (name, fields) in enumerate(chosen.items(), start=1):
            say(f"{number} of {len(chosen)}: {name}")
            chunks = await _chunks(fields, parsed, offsets, embedder)
            profile = {"chunking": fields, "retrieval": {**SHOWN.get(name, {}), **RETRIEVAL[retrieval]}}
            found = await _retrieved(system, name, dataset.corpora, profile, questions, offsets)
            figures[name] = _figures(questions, offsets, found, chunks)
            say(f"recall {figures[name]['recall']:.1f}, IoU {figures[name]['iou']:.1f}")
    finally:
        await embedder.close()
    _show(figures)
    return _report(dataset, retrieval, questions, figures)


def _offsets(corpora: Mapping[str, str]) -> dict[str, int]:
    """Where each text begins, were they one behind the other."""
    offsets, at = {}, 0
    for name, text in corpora.items():
        offsets[name] = at
        at += len(text) + _APART
    return offsets


async def _parsed(system: System, corpora: Mapping[str, str]) -> dict[str, ParsedText]:
    parser = Parser(system.settings.parsing)
    try:
        return {
            name: await parser.parse(text.encode(), f"{name}.txt", "text/plain")
            for name, text in corpora.items()
        }
    finally:
        await parser.close()


async def _chunks(
    fields: Mapping[str, Any],
    parsed: Mapping[str, ParsedText],
    offsets: Mapping[str, int],
    embedder: Embedder,
) -> list[Range]:
    """All chunks, those within others aside, for precision-omega: by the same function as at ingestion."""
    profile = ChunkingProfile.read(fields, embedder.profile.window_tokens)
    loop = asyncio.get_running_loop()

    def embed(texts: Sequence[str], /) -> NDArray[np.float32]:
        return asyncio.run_coroutine_threadsafe(embedder.embed_documents(texts), loop).result()

    models = Models(embed if profile.strategy in COMPARING else None)
    found = []
    for name, each in parsed.items():
        spans = await asyncio.to_thread(
            chunk, each.text, profile, embedder.token_offsets, each.structure, models, each.media_type
        )
        found += [
            (span.start + offsets[name], span.end + offsets[name]) for span in spans if span.parent is None
        ]
    return found


async def _retrieved(
    system: System, name: str, corpora: Mapping[str, str], profile: Mapping[str, Any],
    questions: Sequence[ExcerptQuestion], offsets: Mapping[str, int],
) -> list[list[Range]]:  # fmt: skip
    """The passages of each question, through the API, as spans of all texts behind one another.

    The collection stays until the tenant goes, so that later ones need not embed equal chunks anew.
    """
    texts = [Text(external_id=each, title=_UNTITLED, text=text) for each, text in corpora.items()]
    await load_texts(system.api, texts, profile, name)

    async def search(question: ExcerptQuestion) -> list[Range]:
        wanted = {"question": question.question, "collections": [name], "limit": _PASSAGES}
        passages = (await system.api.post("/v1/search", wanted))["passages"]
        return [
            (each["start"] + offsets[each["external_id"]], each["end"] + offsets[each["external_id"]])
            for each in passages
        ]

    found: list[list[Range]] = await ask_all(search, questions, f"Searching, {name}")
    return found


def _figures(
    questions: Sequence[ExcerptQuestion],
    offsets: Mapping[str, int],
    found: Sequence[Sequence[Range]],
    chunks: Sequence[Range],
) -> dict[str, float]:
    """Means over the questions, in per cent as in the report; lengths in characters."""
    excerpts = [
        [(start + offsets[each.corpus_id], end + offsets[each.corpus_id]) for start, end in each.excerpts]
        for each in questions
    ]
    pairs = list(zip(found, excerpts, strict=True))
    each_recall = [100 * span_recall(*pair) for pair in pairs]
    figures = {
        "recall": mean(each_recall),
        "recall_sd": pstdev(each_recall),
        "precision": 100 * mean(span_precision(*pair) for pair in pairs),
        "precision_omega": 100 * mean(precision_omega(chunks, wanted) for wanted in excerpts),
        "iou": 100 * mean(span_iou(*pair) for pair in pairs),
        "mean_chars": mean(end - start for start, end in chunks),
    }
    for corpus in offsets:
        own = [pair for pair, each in zip(pairs, questions, strict=True) if each.corpus_id == corpus]
        if own:
            figures[f"{corpus}.recall"] = 100 * mean(span_recall(*pair) for pair in own)
            figures[f"{corpus}.iou"] = 100 * mean(span_iou(*pair) for pair in own)
    return figures


def _show(figures: Mapping[str, Mapping[str, float]]) -> None:
    heads = ("Strategy", ">Recall", ">Precision", ">Precision-omega", ">IoU", ">Characters")
    keys = ("recall", "precision", "precision_omega", "iou", "mean_chars")
    out.print(table(heads, ([name, *(f"{own[key]:.1f}" for key in keys)] for name, own in figures.items())))


def best(figures: Mapping[str, Mapping[str, float]]) -> str:
    """Return the strategy of the highest recall among those as lean as the published best; else the leanest."""
    lean = [name for name, own in figures.items() if own["iou"] >= _LEAST_IOU]
    if lean:
        return max(lean, key=lambda name: figures[name]["recall"])
    return max(figures, key=lambda name: figures[name]["iou"])


def _report(
    dataset: ExcerptDataset, retrieval: Retrieval, questions: Sequence[ExcerptQuestion],
    figures: Mapping[str, Mapping[str, float]],
) -> Report:  # fmt: skip
    winner = best(figures)
    metrics: dict[str, float | None] = {
        f"{name}.{key}": value for name, own in figures.items() for key, value in own.items()
    }
    metrics |= {
        "best_recall": figures[winner]["recall"],
        "best_iou": figures[winner]["iou"],
        "questions": len(questions),
        "left_out": len(dataset.left_out),
    }
    settings = {
        "data": dataset.name, "corpora": list(dataset.corpora), "retrieval": str(retrieval), "passages": _PASSAGES,
        "best_strategy": winner, "strategies": {name: {**STRATEGIES[name], **SHOWN.get(name, {})} for name in figures},
    }  # fmt: skip
    say(f"Best: {winner}, recall {metrics['best_recall']:.1f}, IoU {metrics['best_iou']:.1f}.")
    return Report(metrics, settings)
