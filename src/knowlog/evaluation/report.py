"""A run as one value: what was measured and with what, how it is spread, the worst questions; and what it differs in."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from knowlog.evaluation.comparable import LeftOut
from knowlog.evaluation.comparing import Difference
from knowlog.evaluation.measures import METRICS
from knowlog.evaluation.model import Result, Run

WORST = 20
_BINS = 10
_OUTWARD = ("run_id", "dataset_id", "collection_id", "job_id")


@dataclass(frozen=True, slots=True)
class Compared:
    """The run that a report is compared with, the differences to it, and the metrics that could not be compared."""

    baseline: Run
    differences: Sequence[Difference]
    left_out: Sequence[LeftOut] = ()


def report_of(run: Run, results: Sequence[Result], compared: Compared | None = None) -> dict[str, Any]:
    """Return the report of a finished run, as JSON can hold it."""
    return {
        "run": run_as_json(run),
        "metrics": [_metric(run, name, results) for name in METRICS if run.figures and name in run.figures],
        "worst": [asdict(each) | {"worth": round(worth(each), 4)} for each in worst(results)],
        "compared_with": None if compared is None else run_as_json(compared.baseline),
        "differences": [] if compared is None else [asdict(each) for each in compared.differences],
        "left_out": [] if compared is None else [asdict(each) for each in compared.left_out],
    }


def run_as_json(run: Run) -> dict[str, Any]:
    """Return a run as JSON can hold it."""
    told = asdict(run)
    return {
        **told,
        **{name: str(told[name]) for name in _OUTWARD},
        "created_at": run.created_at.isoformat(),
        "finished_at": run.finished_at and run.finished_at.isoformat(),
    }


def worst(results: Sequence[Result]) -> list[Result]:
    """The twenty questions that did worst, worst first; those of equal worth in their order."""
    return sorted(results, key=lambda each: (worth(each), each.position))[:WORST]


def worth(result: Result) -> float:
    """The mean of a question's scores in the metrics of quality, 0 to 1; 1 where none was measured."""
    scores = [value for name, value in result.scores.items() if METRICS[name].quality]
    return sum(scores) / len(scores) if scores else 1.0


def _metric(run: Run, name: str, results: Sequence[Result]) -> dict[str, Any]:
    values = [each.scores[name] for each in results if name in each.scores]
    known = METRICS[name]
    top = 1.0 if known.quality else float(max(values)) or 1.0
    counts, edges = np.histogram(np.clip(values, 0, top), bins=_BINS, range=(0, top))
    return {
        "name": name,
        "title": known.title.replace("@k", f"@{run.wanted.k}"),
        "meaning": known.meaning.replace("first k", f"first {run.wanted.k}"),
        "unit": known.unit,
        "higher_is_better": known.higher_is_better,
        "quality": known.quality,
        **asdict((run.figures or {})[name]),
        "histogram": {
            "edges": [round(float(each), 4) for each in edges],
            "counts": [int(each) for each in counts],
        },
    }
