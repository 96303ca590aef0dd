"""`knowlog summaries`: those that you asked for, and batches of them."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, out, printable, progress, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.summarize import (
    DateField,
    FormOption,
    ModeOption,
    Since,
    SummaryFailed,
    Tokens,
    Until,
    Words,
    how,
    show_summary,
    wait_for_batch,
)
from knowlog.cli.values import address

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(
    help="Summaries: list, show, renew, delete; batches of them: batch, batches, status, cancel, resume.",
    no_args_is_help=True,
)
_address = partial(address, "summaries", listing="knowlog summaries list")
_batch = partial(address, "summaries/batches", listing="knowlog summaries batches")

SummaryId = Annotated[
    str, typer.Argument(help="Id of the summary, as `knowlog summaries list` shows it.", metavar="SUMMARY")
]
BatchId = Annotated[
    str, typer.Argument(help="Id of the batch, as `knowlog summaries batches` shows it.", metavar="BATCH")
]
MostDocuments = Annotated[
    int | None, typer.Option("--most-documents", min=1, help="Stop after so many documents.")
]
MostTokens = Annotated[
    int | None, typer.Option("--most-tokens", min=1, help="Stop after so many tokens of a language model.")
]
Detach = Annotated[bool, typer.Option("--detach", help="Do not wait for it.")]


@app.command("list")
def list_summaries(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Only of this collection.")] = None,
    batch: Annotated[str | None, typer.Option("--batch", help="Only of this batch.")] = None,
    limit: Limit = 50,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """List the summaries that you asked for, newest first."""
    with connect(url, key) as client:
        listed = client.listed("/v1/summaries", limit, collection=collection, batch=batch)
        emit_list(listed, as_json, _render)


@app.command()
def show(summary: SummaryId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show what a summary says, and where its quotes stand."""
    with connect(url, key) as client:
        emit(client.get(_address(summary)), as_json, show_summary)


@app.command()
def renew(summary: SummaryId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Have a summary made again that is outdated, or has failed."""
    with connect(url, key) as client:
        asked = client.post(f"{_address(summary)}:renew")
    emit(asked, as_json, lambda _: say(f"Summary {summary} is being made again."))


@app.command()
def delete(summary: SummaryId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a summary of yours."""
    with connect(url, key) as client:
        client.delete(_address(summary))
    emit({"deleted": summary}, as_json, lambda _: say(f"Summary {summary} is deleted."))


@app.command()
def batch(
    collection: Annotated[str, typer.Argument(help="Name of the collection.", metavar="COLLECTION")],
    since: Since = None,
    until: Until = None,
    date_field: DateField = None,
    form: FormOption = "brief",
    words: Words = None,
    tokens: Tokens = None,
    mode: ModeOption = "extractive",
    most_documents: MostDocuments = None,
    most_tokens: MostTokens = None,
    detach: Detach = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Summarize each document of a collection, and watch how far that is. Ctrl-C stops watching, not the batch."""
    wish = how(since, until, date_field, form, words, tokens, mode)
    budget = {"most_documents": most_documents, "most_tokens": most_tokens}
    with connect(url, key) as client:
        found = client.post("/v1/summaries/batches", {**wish, **budget, "collection": collection})
        _followed(client, found, detach, as_json)


@app.command()
def batches(limit: Limit = 50, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the batches that you asked for, newest first."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/summaries/batches", limit), as_json, _render_batches)


@app.command()
def status(batch: BatchId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show how far a batch is."""
    with connect(url, key) as client:
        emit(client.get(_batch(batch)), as_json, show_fields)


@app.command()
def cancel(batch: BatchId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Cancel a batch; what is made stays."""
    with connect(url, key) as client:
        done = client.post(f"{_batch(batch)}:cancel")
    emit(done, as_json, lambda _: say(f"Batch {batch} is cancelled."))


@app.command()
def resume(
    batch: BatchId,
    most_documents: MostDocuments = None,
    most_tokens: MostTokens = None,
    detach: Detach = False,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Go on with a batch that has stopped, failed or was cancelled. Its budget counts from the batch's begin."""
    budget = {"most_documents": most_documents, "most_tokens": most_tokens}
    with connect(url, key) as client:
        _followed(client, client.post(f"{_batch(batch)}:resume", budget), detach, as_json)


def _followed(client: "Client", found: dict[str, Any], detach: bool, as_json: bool) -> None:
    """Watch a batch, unless that is not wanted, and print it. Raises SummaryFailed."""
    if not detach:
        with progress(as_json) as bar:
            task = bar.add_task("Summarizing", total=found["total"], note="")
            found = wait_for_batch(client, found, lambda each: bar.update(task, completed=each["done"]))
    emit(found, as_json, _render_id if detach else show_fields)
    if found["state"] in ("failed", "cancelled"):
        raise SummaryFailed(printable(found["reason"] or f"The batch is {found['state']}."))


def _render_id(found: dict[str, Any]) -> None:
    out.print(found["batch_id"], markup=False)


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["summary_id"], each["collection"], each["topic"] or each["external_id"], each["state"], each["form"],
         f"{each['wished']} {each['unit']}", each["document_count"], each["created_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show_table(
        table(
            ("Summary", "Collection", "Topic or document", "State", "Form", "Wished", ">Documents", "Asked"),
            rows,
        )
    )


def _render_batches(listed: dict[str, Any]) -> None:
    rows = (
        [each["batch_id"], each["collection"], each["state"], f"{each['done']}/{each['total']}", each["reused"],
         each["failed"], each["llm_tokens"], each["created_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show_table(
        table(("Batch", "Collection", "State", ">Done", ">Reused", ">Failed", ">Tokens", "Asked"), rows)
    )
