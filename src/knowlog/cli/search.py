"""`knowlog search`: the passages that fit a question."""

from typing import Annotated

import typer

from knowlog.cli.answers import show_found, show_notes
from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Filter, Key, Pattern, Url
from knowlog.cli.output import emit
from knowlog.cli.values import json_object

Question = Annotated[str, typer.Argument(help="What you want to know.")]
Passages = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", min=1, help="How many at most. [default: the collection's retrieval.passages]"
    ),
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Show each leg's rank and score, and what the pattern did.")
]


def search(
    question: Question,
    collection: Collections = None,
    limit: Passages = None,
    explain: Explain = False,
    metadata: Filter = None,
    pattern: Pattern = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Find the passages that fit a question best."""
    asked: dict[str, object] = {"question": question, "explain": explain}
    if limit:
        asked["limit"] = limit
    if collection:
        asked["collections"] = collection
    if pattern:
        asked["pattern"] = pattern
    if metadata is not None:
        asked["filter"] = json_object(metadata, "--filter")
    with connect(url, key) as client:
        found = client.ask("/v1/search", asked)
    show_notes([] if as_json else found.get("notes", []))
    emit(found, as_json, lambda value: show_found(value, explain))
