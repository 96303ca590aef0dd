"""`knowlog ingest`: files go in."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.files import LeftOut, SourceFile, find_files
from knowlog.cli.local_tenant import ensure_collection
from knowlog.cli.options import AsJson, CollectionName, Key, Url
from knowlog.cli.output import emit, one_line, progress, say
from knowlog.cli.uploading import Make, Outcome, await_indexing, upload_files
from knowlog.cli.values import pairs
from knowlog.kernel.wording import counted

if TYPE_CHECKING:
    from knowlog.cli.client import Client

DEFAULT_COLLECTION = "default"
_MOST_NAMED = 10

Paths = Annotated[list[str], typer.Argument(help="Files, folders, or patterns such as 'docs/**/*.pdf'.")]
Metadata = Annotated[
    list[str] | None, typer.Option("--metadata", "-m", help="name=value for every file; may repeat.")
]
RelativeTo = Annotated[
    Path | None,
    typer.Option(
        "--relative-to", help="Identify files by their path below this folder. [default: the absolute path]"
    ),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Do not wait until the files are indexed.")]


def ingest(
    paths: Paths,
    collection: CollectionName = DEFAULT_COLLECTION,
    metadata: Metadata = None,
    relative_to: RelativeTo = None,
    no_wait: NoWait = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Ingest files and folders.

    Of a folder, what is hidden (a name that begins with a dot), links that lead out of it, links to folders, and what is
    no regular file are skipped and named; give such a file by its own path to take it. Of a pattern, what a link has
    outside the folder in which the pattern begins is skipped too. A name that is not UTF-8 is written with its odd
    bytes as %FF.

    Run it again after an interruption or a change: what is there unchanged is skipped, and a file of 16 MB or more
    goes on where it broke off. A file that has failed is told again, and not tried again before it changes: `knowlog
    documents retry` does that.
    """
    found = find_files(paths, relative_to)
    with connect(url, key) as client:
        made: list[bool] = []
        try:
            outcomes = ingest_files(
                client,
                collection,
                found.files,
                pairs(metadata or ()),
                wait=not no_wait,
                as_json=as_json,
                make=lambda: made.append(ensure_collection(client, collection)),
            )
        except KeyboardInterrupt:
            if not as_json:
                say("What was sent is indexed all the same. The same command again sends the rest.")
            raise
    outcomes += [Outcome(each.path, None, None, "failed", each.reason) for each in found.failed]
    emit(_summary(collection, any(made), outcomes, found.skipped), as_json, _render)
    if any(outcome.state == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def ingest_files(
    client: "Client",
    collection: str,
    files: Sequence[SourceFile],
    metadata: dict[str, Any],
    *,
    wait: bool = True,
    as_json: bool = False,
    make: Make | None = None,
) -> list[Outcome]:
    """Upload files and wait until they are indexed, with a progress bar on stderr. `make` makes the collection."""
    with progress(as_json) as bar:
        task = bar.add_task("Ingesting", total=len(files), note="")

        def seen(count: int) -> None:
            bar.advance(task, count)

        outcomes = upload_files(client, collection, files, metadata, seen, make)
        return await_indexing(client, outcomes, seen) if wait else outcomes


def _summary(
    collection: str, is_new: bool, outcomes: Sequence[Outcome], skipped: Sequence[LeftOut]
) -> dict[str, Any]:
    changes = Counter(outcome.change for outcome in outcomes if outcome.change)
    return {
        "collection": collection,
        "collection_created": is_new,
        "files": len(outcomes),
        **{name: changes[name] for name in ("created", "updated", "relabelled", "unchanged")},
        "indexed": sum(outcome.state == "indexed" for outcome in outcomes),
        "failed": [
            {
                "external_id": outcome.external_id,
                "document_id": outcome.document_id,
                "reason": outcome.reason,
                "failed_earlier": outcome.failed_earlier,
            }
            for outcome in outcomes
            if outcome.state == "failed"
        ],
        "skipped": [{"path": each.path, "reason": each.reason} for each in skipped],
    }


def _render(summary: dict[str, Any]) -> None:
    if summary["collection_created"]:
        say(f"The collection {summary['collection']} is new.")
    labels = f", {summary['relabelled']} with new metadata" if summary["relabelled"] else ""
    say(
        f"{counted(summary['files'], 'file')}: {summary['created']} new, {summary['updated']} changed{labels}, "
        f"{summary['unchanged']} unchanged; {summary['indexed']} indexed, {len(summary['failed'])} failed."
    )
    if skipped := summary["skipped"]:
        named = "; ".join(f"{one_line(each['path'])} ({each['reason']})" for each in skipped[:_MOST_NAMED])
        more = (
            f"; and {len(skipped) - _MOST_NAMED:,} more, which --json names"
            if len(skipped) > _MOST_NAMED
            else ""
        )
        say(f"{len(skipped):,} skipped: {named}{more}.")
    for each in summary["failed"]:
        say(
            f"{one_line(each['external_id'])}: {'failed earlier: ' if each['failed_earlier'] else ''}{each['reason']}"
        )
    if any(each["failed_earlier"] for each in summary["failed"]):
        say(
            f"`knowlog documents retry --failed --collection {summary['collection']}` tries again what failed."
        )
