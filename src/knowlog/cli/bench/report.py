"""What a benchmark found: a table for people, one JSON object for programs."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from knowlog.cli.bench.machine import commit, machine
from knowlog.cli.output import err, out, table
from knowlog.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Report:
    """Figures by name (flat), None where there was nothing to measure, and what was run."""

    metrics: Mapping[str, float | None]
    settings: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """Everything that makes the figures comparable with those of another run."""
        return {
            "metrics": dict(self.metrics),
            "settings": dict(self.settings),
            "machine": machine(),
            "commit": commit(),
        }


def publish(report: Report, json_file: Path | None) -> None:
    """Print the table; write the JSON to `json_file`, or for "-" to stdout (and the table to stderr)."""
    to_stdout = json_file is not None and str(json_file) == "-"
    shown = table(("Metric", ">Value"), ([name, _figure(value)] for name, value in report.metrics.items()))
    (err if to_stdout else out).print(shown)
    if json_file is None:
        return
    text = orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2, default=str).decode() + "\n"
    if to_stdout:
        sys.stdout.write(text)
    else:
        json_file.write_text(text)


def check_writable(json_file: Path | None) -> None:
    """Raise Misconfigured before the work, not after it, when the JSON file cannot be written."""
    if json_file is None or str(json_file) == "-":
        return
    if json_file.is_dir() or not json_file.absolute().parent.is_dir():
        raise Misconfigured(
            f"{json_file} cannot be written: its folder does not exist or it is one. Check --json."
        )


def _figure(value: float | None) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4f}"
