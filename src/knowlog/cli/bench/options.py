"""Options of benchmarks."""

from pathlib import Path
from typing import Annotated

import typer

from knowlog.cli.options import OperatorKey
from knowlog.kernel.errors import Misconfigured

__all__ = ["Data", "JsonFile", "Model", "MostQuestions", "OperatorKey", "Url", "embedding_by"]

Data = Annotated[Path, typer.Option("--data", help="The evaluation data; it does not come with knowlog.")]
JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write metrics, settings, machine and commit to this file; - is stdout."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Embedding model of the private knowlog, such as pair. [default: what KNOWLOG_EMBEDDING_MODEL says]",
    ),
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


def embedding_by(model: str | None, url: str | None) -> dict[str, str]:
    """Settings of a private knowlog that embeds with a model. Raises Misconfigured where one is measured that runs."""
    if model and url:
        raise Misconfigured(
            "--model is for a private knowlog, and --url names one that has its model. Leave one of them out."
        )
    return {"KNOWLOG_EMBEDDING_MODEL": model} if model else {}
