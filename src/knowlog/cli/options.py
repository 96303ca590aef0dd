"""Options that commands share, so that they read the same everywhere."""

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value instead of text.")]
Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="Address of the server. [default: KNOWLOG_URL, else the one this machine serves]"
    ),
]
Key = Annotated[
    str | None,
    typer.Option("--key", help="API key. [default: KNOWLOG_KEY, else the one kept in the data directory]"),
]
OperatorKey = Annotated[
    str | None,
    typer.Option(
        "--operator-key", help="Operator key. [default: the setting, else the one in the data directory]"
    ),
]
CollectionName = Annotated[str, typer.Option("--collection", "-c", help="Name of the collection.")]
Collections = Annotated[
    list[str] | None,
    typer.Option(
        "--collection", "-c", help="Only this collection; may be given more than once. [default: all]"
    ),
]
Pattern = Annotated[
    str | None,
    typer.Option(
        "--pattern",
        help="The way from the question to passages; docs/guide/patterns.md. [default: the collection's]",
    ),
]
Filter = Annotated[
    str | None,
    typer.Option(
        "--filter", help='Metadata that documents must have: {"year": 2025}; see docs/guide/filters.md.'
    ),
]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
