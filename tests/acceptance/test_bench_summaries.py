"""`knowlog bench summaries` as it stands, small: on texts of ours, against the stack that runs."""

import asyncio
import json
import os
import sys
from pathlib import Path

from knowlog.cli.processes import Stack


def folder_of(place: Path) -> Path:
    """A folder in BEIR form with some 2,200 words."""
    (place / "qrels").mkdir(parents=True)
    said = (
        "Station {0} measured rain on {1} days. The gauge of station {0} holds {0} litres, and was emptied."
    )
    texts = [{"_id": str(n), "title": f"Station {n}", "text": said.format(n, n % 28)} for n in range(110)]
    (place / "corpus.jsonl").write_text("\n".join(map(json.dumps, texts)))
    (place / "queries.jsonl").write_text(json.dumps({"_id": "q", "text": "Which station measured rain?"}))
    (place / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    return place


async def test_lengths_are_kept_and_every_quote_is_found(running: tuple[Stack, str], tmp_path: Path) -> None:
    """In each of three forms; the figures say for how many documents a day that is."""
    stack, _ = running
    folder = folder_of(tmp_path / "texts" / "rain")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "bench", "summaries", "--data", str(folder.parent), "--url", stack.url,
        "--operator-key", stack.operator_key, "--json", "-", stdout=asyncio.subprocess.PIPE, env=dict(os.environ),
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    metrics = json.loads(output)["metrics"]
    assert (metrics["documents"], metrics["summaries"]) == (1, 3)
    assert (metrics["length_within_10"], metrics["length_as_said"], metrics["verbatim"]) == (1, 1, 1)
    assert metrics["documents_per_day_per_core"] > 3_000
