"""`knowlog bench patterns`: what each retrieval pattern finds, and what it costs."""

from pathlib import Path
from typing import Annotated

import typer

from knowlog.cli.bench.judged import Judged, load_judged
from knowlog.cli.bench.loading import every, load_texts
from knowlog.cli.bench.options import JsonFile, Model, MostQuestions, OperatorKey, Url, embedding_by
from knowlog.cli.bench.pattern_cost import BASE, figures, measure_patterns
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import out, table
from knowlog.kernel.errors import Misconfigured
from knowlog.retrieval import all_patterns, open_pattern

_PROFILE = {"chunking": {"size_tokens": 510, "overlap": 0.0}, "retrieval": {"one_per_document": True}}

ListOffline = Annotated[
    bool,
    typer.Option(
        "--list-offline", help="Print the names of patterns that need no language model, one a line."
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--pattern", help="Measure only this one, beside hybrid; may be given more than once."),
]


def patterns(
    data: Annotated[Path | None, typer.Option("--data", help="BEIR folder, or SQuAD file.")] = None,
    list_offline: ListOffline = False,
    pattern: Only = None,
    model: Model = None,
    limit: MostQuestions = 300,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Ask the judged questions of a BEIR folder or a SQuAD file by every pattern that works without a language model.

    One table: nDCG@10, recall@10, p50 beside that of the plain search, tokens that models read and wrote, and calls of
    a language model, each a mean over the questions.
    """
    if list_offline:
        for name in offline():
            typer.echo(name)
        return
    if data is None:
        raise Misconfigured("Name the evaluation data with --data, or ask for --list-offline.")
    judged = load_judged(data)
    names = list(dict.fromkeys([BASE, *(open_pattern(each).name for each in pattern or offline())]))
    fixed = embedding_by(model, url)
    run_bench(lambda system: _measure(system, judged, names, limit), url, operator_key, json, fixed=fixed)


def offline() -> list[str]:
    """The names of the patterns that need no language model."""
    return [each.name for each in all_patterns() if not each.needs_llm]


async def _measure(system: System, judged: Judged, names: list[str], limit: int | None) -> Report:
    await load_texts(system.api, judged.texts, _PROFILE)
    asked = every(list(judged.questions), limit)
    found = figures(await measure_patterns(system.api, judged, asked, names))
    columns = list(found[BASE])
    out.print(table(("Pattern", *(f">{each}" for each in columns)), _rows(found)))
    flat = {f"{name}.{metric}": value for name, of in found.items() for metric, value in of.items()}
    settings = {
        "data": judged.name,
        "profile": _PROFILE,
        "patterns": names,
        "model": system.settings.embedding.model,
    }
    return Report({**flat, "questions": len(asked), "documents": len(judged.texts)}, settings)


def _rows(found: dict[str, dict[str, float]]) -> list[list[str]]:
    return [[name, *(f"{value:.4f}" for value in of.values())] for name, of in found.items()]
