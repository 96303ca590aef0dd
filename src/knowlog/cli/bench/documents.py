"""`knowlog bench documents`: what becomes of files of many formats, and of hostile ones."""

import asyncio
from collections.abc import Sequence

from knowlog.cli.bench.loading import COLLECTION
from knowlog.cli.bench.options import Data, JsonFile, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.client import Client
from knowlog.cli.files import SourceFile
from knowlog.cli.ingest import ingest_files
from knowlog.cli.output import err, table
from knowlog.cli.uploading import Outcome
from knowlog.evaluation import SampleFile, load_document_samples, mean, word_overlap


def documents(data: Data, url: Url = None, operator_key: OperatorKey = None, json: JsonFile = None) -> None:
    """Ingest a folder of sample files and hostile ones: each file's outcome, and how well its text was read.

    `overlap` is the word F1 with the text that another parser found, where that is known. `unharmed` is 1
    when the server answers afterwards and no process of it had to be started again.
    """
    samples = load_document_samples(data)
    run_bench(lambda system: _measure(system, samples, data.name), url, operator_key, json)


async def _measure(system: System, samples: Sequence[SampleFile], name: str) -> Report:
    outcomes = await asyncio.to_thread(_ingest, system, samples)
    overlaps = await asyncio.to_thread(_overlaps, system, samples, outcomes)
    rows = [
        [
            sample.path.name,
            "hostile" if sample.hostile else "",
            outcome.state,
            overlaps.get(sample.path.name),
            outcome.reason,
        ]
        for sample, outcome in zip(samples, outcomes, strict=True)
    ]
    err.print(table(("File", "", "Outcome", ">Overlap", "Reason"), rows))
    return Report(
        {**_counts(samples, outcomes, overlaps), "unharmed": await _unharmed(system)}, {"data": name}
    )


def _ingest(system: System, samples: Sequence[SampleFile]) -> list[Outcome]:
    files = [
        SourceFile(each.path, f"{'hostile' if each.hostile else 'samples'}/{each.path.name}")
        for each in samples
    ]
    with Client(system.url, system.key) as client:
        client.post("/v1/collections", {"name": COLLECTION})
        return ingest_files(client, COLLECTION, files, {})


def _overlaps(system: System, samples: Sequence[SampleFile], outcomes: Sequence[Outcome]) -> dict[str, float]:
    with Client(system.url, system.key) as client:
        return {
            sample.path.name: word_overlap(
                client.get(f"/v1/documents/{outcome.document_id}/text")["text"], sample.expected
            )
            for sample, outcome in zip(samples, outcomes, strict=True)
            if sample.expected is not None and outcome.state == "indexed"
        }


def _counts(
    samples: Sequence[SampleFile], outcomes: Sequence[Outcome], overlaps: dict[str, float]
) -> dict[str, float]:
    both = list(zip(samples, outcomes, strict=True))
    return {
        "files": len(samples),
        "indexed": sum(outcome.state == "indexed" for sample, outcome in both if not sample.hostile),
        "refused": sum(outcome.state == "failed" for sample, outcome in both if not sample.hostile),
        "hostile_indexed": sum(outcome.state == "indexed" for sample, outcome in both if sample.hostile),
        "hostile_refused": sum(outcome.state == "failed" for sample, outcome in both if sample.hostile),
        "without_reason": sum(outcome.state == "failed" and not outcome.reason for outcome in outcomes),
        "overlap": mean(overlaps.values()),
        "overlap_lowest": min(overlaps.values(), default=0.0),
        "overlap_files": len(overlaps),
    }


async def _unharmed(system: System) -> int:
    checks = (await system.api.get("/health/ready"))["checks"]
    restarts = sum(system.stack.supervisor.failures.values()) if system.stack else 0
    return int(restarts == 0 and all(found == "ok" for found in checks.values()))
