"""Options of benchmarks."""

from pathlib import Path
from typing import Annotated

import typer

from knowlog.cli.options import OperatorKey

__all__ = ["Data", "JsonFile", "MostQuestions", "OperatorKey", "Url"]

Data = Annotated[Path, typer.Option("--data", help="The evaluation data; it does not come with knowlog.")]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write metrics, settings, machine and commit to this file; - is stdout."),
]
MostQuestions = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, help="Ask only so many questions, every k-th of them.")
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="Measure this server. [default: a private one, for the time of the benchmark]"
    ),
]
