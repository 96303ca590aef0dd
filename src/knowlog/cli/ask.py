"""`knowlog ask`: an answer with its sources."""

from typing import Annotated

import typer

from knowlog.cli.answers import show_answer
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Key, Pattern, Url
from knowlog.cli.output import emit
from knowlog.cli.search import Question

Mode = Annotated[
    str | None,
    typer.Option(
        "--mode",
        help="extractive: quotations alone; generated: written by a language model, verified. [default: the server's]",
    ),
]


def ask(
    question: Question,
    collection: Collections = None,
    mode: Mode = None,
    pattern: Pattern = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Answer a question by quotations or verified statements with their sources, or say that the documents do not."""
    asked: dict[str, object] = {"question": question}
    if collection:
        asked["collections"] = collection
    if mode:
        asked["mode"] = mode
    if pattern:
        asked["pattern"] = pattern
    with connect(url, key) as client:
        answer = client.ask("/v1/answers", asked)
    emit(answer, as_json, show_answer)
