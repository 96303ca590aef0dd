"""`knowlog bench summaries`: as long as was wished, every sentence found in its document, and how many a day."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from knowlog.cli.bench.loading import COLLECTION, Text, ask_all, every, load_texts
from knowlog.cli.bench.options import JsonFile, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import say
from knowlog.evaluation import load_beir, load_squad, mean
from knowlog.kernel.errors import Misconfigured, Unavailable

_WORDS = 2_000
_WISHES: tuple[tuple[str, int], ...] = (("brief", 150), ("bullets", 100), ("executive", 300))
_DAY_S = 86_400
_POLL_S = 0.1
_NEAR = 0.1

Data = Annotated[
    Path,
    typer.Option(
        "--data",
        help="Texts: a folder in BEIR form, or one that holds such folders, or a SQuAD file. They are joined to"
        " documents of 2,000 words.",
    ),
]
MostDocuments = Annotated[
    int | None,
    typer.Option("--limit", "-n", min=1, help="Summarize only so many documents, spread over all."),
]


def summaries(
    data: Data,
    limit: MostDocuments = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Summarize documents of 2,000 words by quotations, in three forms: is the length kept, every quote found?"""
    texts = every(joined(paragraphs(data)), limit)
    if not texts:
        raise Misconfigured(f"{data} holds fewer than {_WORDS:,} words. Check --data.")
    fixed = {"KNOWLOG_EMBEDDING_MODEL": "fake"}  # quotations of one document ask no model
    run_bench(lambda system: _measure(system, texts, data.name), url, operator_key, json, fixed=fixed)


def paragraphs(data: Path) -> Iterator[str]:
    """Yield the texts of a folder in BEIR form, of the first such folder inside, or of a SQuAD file."""
    if data.is_file():
        yield from (each.text for each in load_squad(data).paragraphs)
        return
    folders = [data] if (data / "corpus.jsonl").exists() else sorted(data.glob("*/corpus.jsonl"))
    if not folders:
        raise Misconfigured(f"{data} holds no corpus.jsonl, nor does a folder in it. Check --data.")
    largest = max(folders, key=lambda each: _size(each))
    folder = largest if largest.is_dir() else largest.parent
    yield from (f"{each.title}. {each.text}" for each in load_beir(folder).corpus)


def _size(place: Path) -> int:
    return (place / "corpus.jsonl" if place.is_dir() else place).stat().st_size


def joined(texts: Iterator[str]) -> list[Text]:
    """Join texts to documents of at least 2,000 words; what is left over is left out."""
    found: list[Text] = []
    parts: list[str] = []
    words = 0
    for text in texts:
        parts.append(text)
        words += len(text.split())
        if words >= _WORDS:
            number = len(found) + 1
            found.append(
                Text(external_id=f"joined-{number:05}", title=f"Document {number}", text="\n\n".join(parts))
            )
            parts, words = [], 0
    return found


@dataclass(frozen=True, slots=True)
class Checked:
    """What was seen of one summary."""

    within: bool
    said: bool
    sentences: int
    verbatim: int


async def _measure(system: System, texts: Sequence[Text], name: str) -> Report:
    await load_texts(system.api, texts)
    words = mean(float(len(each["text"].split())) for each in texts)
    seconds: list[float] = []
    seen: list[Checked] = []
    for form, length in _WISHES:
        say(f"Summarizing each document: {form}, {length} words ...")
        started = perf_counter()
        batch = await _batch(system, form, length)
        seconds.append(perf_counter() - started)
        seen += await _check(system, batch, texts)
    made = len(seen)
    a_day = made / sum(seconds) * _DAY_S
    cores = len(os.sched_getaffinity(0))
    figures = {
        "documents": len(texts),
        "words_per_document": words,
        "summaries": made,
        "length_within_10": mean(float(each.within) for each in seen),
        "length_as_said": mean(float(each.said) for each in seen),
        "sentences": sum(each.sentences for each in seen),
        "verbatim": sum(each.verbatim for each in seen) / max(1, sum(each.sentences for each in seen)),
        "seconds_per_document": sum(seconds) / made,
        "documents_per_day": a_day,
        "documents_per_day_per_core": a_day / cores,
    }
    return Report(figures, {"data": name, "forms": dict(_WISHES), "cores": cores, "mode": "extractive"})


async def _batch(system: System, form: str, length: int) -> dict[str, Any]:
    """Have every document summarized by one batch, which goes one after the other. Raises Unavailable when that fails."""
    wish = {"collection": COLLECTION, "form": form, "length": length, "renewed": False}
    batch: dict[str, Any] = await system.api.post("/v1/summaries/batches", wish)
    while batch["state"] in ("waiting", "running"):
        await asyncio.sleep(_POLL_S)
        batch = await system.api.get(f"/v1/summaries/batches/{batch['batch_id']}")
    if batch["state"] != "done" or batch["failed"]:
        raise Unavailable(f"The batch is {batch['state']}, {batch['failed']} failed: {batch['reason']}.")
    return batch


async def _check(system: System, batch: dict[str, Any], texts: Sequence[Text]) -> list[Checked]:
    """Look at each summary of a batch: how long it is, and whether its quotes stand where it says."""
    by_name = {each["external_id"]: each["text"] for each in texts}
    ids: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await system.api.get(f"/v1/summaries?batch={batch['batch_id']}&limit=200{cursor}")
        ids += [each["summary_id"] for each in page["items"]]
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"

    async def look(summary_id: str) -> Checked:
        return checked(await system.api.get(f"/v1/summaries/{summary_id}"), by_name)

    found: list[Checked] = await ask_all(look, ids, "Checking")
    return found


def checked(summary: dict[str, Any], texts: dict[str, str]) -> Checked:
    """Check a summary against the texts that were sent, by their names. Its words are what white space separates, with
    the marks of a list and without them: both must be near the wish.
    """
    lengths = [
        len(summary["text"].split()),
        sum(len(each["text"].split()) for each in summary["statements"]),
    ]
    wished = summary["wished"]
    near = all(abs(length - wished) <= _NEAR * wished for length in lengths)
    cited = [each for statement in summary["statements"] for each in statement["citations"]]
    verbatim = sum(texts[each["external_id"]][each["start"] : each["end"]] == each["quote"] for each in cited)
    return Checked(near, near == summary["within"], len(cited), verbatim)
