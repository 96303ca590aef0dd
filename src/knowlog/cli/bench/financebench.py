"""`knowlog bench financebench`: whether the page that proves an answer is found in long filings."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from knowlog.cli.bench.loading import COLLECTION, ask_all, every
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.client import Client
from knowlog.cli.files import SourceFile
from knowlog.cli.ingest import ingest_files
from knowlog.cli.uploading import Outcome
from knowlog.evaluation import FinanceQuestion, load_financebench, mean
from knowlog.kernel.errors import ParseFailed

_DEPTH = 5


def financebench(
    data: Data,
    limit: MostQuestions = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Ingest every filing and ask every question: which (document, page) evidence is in the first five?"""
    pdfs, questions = load_financebench(data)
    run_bench(lambda system: _measure(system, pdfs, every(questions, limit)), url, operator_key, json)


async def _measure(system: System, pdfs: Sequence[Path], questions: Sequence[FinanceQuestion]) -> Report:
    started = perf_counter()
    outcomes = await asyncio.to_thread(_ingest, system, pdfs)
    took_s = perf_counter() - started
    if failed := [outcome for outcome in outcomes if outcome.state == "failed"]:
        raise ParseFailed(f"{len(failed)} filings failed, first {failed[0].external_id}: {failed[0].reason}")

    async def search(question: FinanceQuestion) -> list[dict[str, Any]]:
        wanted = {"question": question.text, "collections": [COLLECTION], "limit": _DEPTH}
        found: list[dict[str, Any]] = (await system.api.post("/v1/search", wanted))["passages"]
        return found

    found = await ask_all(search, questions, "Searching")
    scored = [score(question, passages) for question, passages in zip(questions, found, strict=True)]
    metrics = {name: mean(each[name] for each in scored) for name in scored[0]}
    counts = {"questions": len(questions), "documents": len(pdfs), "ingest_s": took_s}
    return Report({**metrics, **counts}, {"data": "financebench", "depth": _DEPTH})


def score(question: FinanceQuestion, passages: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The shares of the evidence's pages, and of its documents, that the passages touch.

    `first_page_recall@5` counts for each passage only the page on which it begins.
    """
    pages = {(Path(each["external_id"]).stem, page) for each in passages for page in each["pages"]}
    first = {(Path(each["external_id"]).stem, each["page"]) for each in passages}
    documents = {name for name, _ in question.evidence}
    return {
        "page_recall@5": len(question.evidence & pages) / len(question.evidence),
        "first_page_recall@5": len(question.evidence & first) / len(question.evidence),
        "document_recall@5": len(documents & {name for name, _ in pages}) / len(documents),
    }


def _ingest(system: System, pdfs: Sequence[Path]) -> list[Outcome]:
    with Client(system.url, system.key) as client:
        client.post("/v1/collections", {"name": COLLECTION})
        return ingest_files(client, COLLECTION, [SourceFile(each, each.name) for each in pdfs], {})
