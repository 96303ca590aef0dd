"""`knowlog chunk`: see how strategies cut a file, before a collection is cut so. It needs no server."""

from pathlib import Path
from typing import Annotated

import typer

from knowlog.cli.interruptible import run_interruptibly
from knowlog.cli.options import AsJson, Yes
from knowlog.cli.values import named
from knowlog.kernel.errors import Invalid

File = Annotated[Path, typer.Argument(help="The file to cut, in any format that can be ingested.")]
Strategies = Annotated[
    str,
    typer.Option(
        "--strategy", help="Strategies, with commas between them: docs/guide/chunking.md has them all."
    ),
]
Tokens = Annotated[int | None, typer.Option("--chunk-tokens", help="Most tokens in a chunk.")]
Overlap = Annotated[float | None, typer.Option("--overlap", help="Share that a chunk repeats.")]
ChildTokens = Annotated[
    int | None, typer.Option("--child-tokens", help="For parent_child, most tokens that are searched.")
]
Similarity = Annotated[
    float | None, typer.Option("--similarity", help="For semantic, the cosine below which it cuts.")
]
Percentile = Annotated[
    float | None, typer.Option("--percentile", help="For semantic, cut at this percentage of the places.")
]
Sentences = Annotated[int | None, typer.Option("--sentences", help="For sentence, most in a chunk.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a page that shows it to this file.")]


def chunk(
    file: File,
    strategy: Strategies = "recursive",
    chunk_tokens: Tokens = None,
    overlap: Overlap = None,
    child_tokens: ChildTokens = None,
    similarity: Similarity = None,
    percentile: Percentile = None,
    sentences: Sentences = None,
    html: Html = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Cut a file by one or several strategies and show the chunks side by side. Needs no server, and stores nothing.

    What the strategy llm will cost is told before anything is sent.
    """
    given = {
        "size_tokens": chunk_tokens, "overlap": overlap, "child_tokens": child_tokens, "similarity": similarity,
        "percentile": percentile, "sentences": sentences,
    }  # fmt: skip
    said = {name: value for name, value in given.items() if value is not None}
    if {"similarity", "percentile"} <= said.keys():
        raise Invalid("semantic cuts by --percentile instead of --similarity. Name one of them.")
    names = named(strategy)
    if not names:
        raise Invalid("Name a strategy, such as --strategy recursive,structure.")
    from knowlog.cli.chunk.cutting import (
        show_cuts,
    )  # loads models and readers of files, which few commands need

    wanted = [{"strategy": name, **said} for name in dict.fromkeys(names)]
    run_interruptibly(show_cuts(file, wanted, html, yes, as_json))
