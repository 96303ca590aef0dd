"""`knowlog documents`: what was ingested, and what became of it."""

from typing import Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url, Yes
from knowlog.cli.output import emit, out, say, table

app = typer.Typer(help="Documents: list, show, text, retry, delete.", no_args_is_help=True)
DocumentId = Annotated[str, typer.Argument(help="The document's id, as `knowlog documents list` shows it.")]
State = Literal["received", "parsing", "embedding", "indexed", "failed"]


@app.command("list")
def list_documents(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only this collection.")
    ] = None,
    state: Annotated[State | None, typer.Option("--state", "-s", help="Only in this state.")] = None,
    limit: Limit = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List documents with their state; a failed one with its reason."""
    with connect(url, key) as client:
        found = list(client.pages("/v1/documents", limit, collection=collection, state=state))
    emit({"items": found}, as_json, _render)


@app.command()
def show(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that is known of a document."""
    with connect(url, key) as client:
        emit(client.get(f"/v1/documents/{document}"), as_json, _render_one)


@app.command()
def text(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Print the text that was found in a document; citations count in it."""
    with connect(url, key) as client:
        emit(client.get(f"/v1/documents/{document}/text"), as_json, lambda value: typer.echo(value["text"]))


@app.command()
def retry(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Try a failed document again."""
    with connect(url, key) as client:
        job = client.post(f"/v1/documents/{document}:retry")
    emit(job, as_json, lambda _: say(f"Document {document} is tried again."))


@app.command()
def delete(
    document: DocumentId, yes: Yes = False, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Delete a document everywhere, and print the receipt that proves it."""
    if not yes:
        typer.confirm(f"Delete document {document}?", abort=True, err=True)
    with connect(url, key) as client:
        receipt = client.delete(f"/v1/documents/{document}")
    emit(receipt, as_json, _render_one)


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["document_id"],
            each["collection"],
            each["state"],
            each["title"],
            each["reason"] or each["external_id"],
        ]
        for each in listed["items"]
    )
    out.print(table(("Document", "Collection", "State", "Title", "From, or why it failed"), rows))


def _render_one(value: dict[str, Any]) -> None:
    out.print(table(("", ""), ([name, each] for name, each in value.items() if each is not None)))
