"""`knowlog documents`: what was ingested, and what became of it."""

from functools import partial
from typing import Annotated, Any, Literal

import orjson
import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url, Yes
from knowlog.cli.output import emit, emit_list, one_line, readable, say, show_fields, table
from knowlog.cli.output import show as show_table
from knowlog.cli.values import address, pairs
from knowlog.kernel.wording import counted

app = typer.Typer(help="Documents: list, show, text, cuts, retry, delete, receipt.", no_args_is_help=True)
_address = partial(address, "documents")
DocumentId = Annotated[str, typer.Argument(help="The document's id, as `knowlog documents list` shows it.")]
State = Literal["received", "parsing", "embedding", "indexed", "failed"]


@app.command("list")
def list_documents(
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Only this collection.")
    ] = None,
    state: Annotated[State | None, typer.Option("--state", "-s", help="Only in this state.")] = None,
    external_id: Annotated[
        str | None,
        typer.Option(
            "--external-id", help="Only what came in under this: a file's whole path, a URL, an id."
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option("--metadata", "-m", help="Only what has name=value among its metadata; may repeat."),
    ] = None,
    limit: Limit = 100,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """List documents with their state; a failed one with its reason."""
    wanted = {"collection": collection, "state": state, "external_id": external_id}
    if metadata:
        wanted["metadata"] = orjson.dumps(pairs(metadata)).decode()
    with connect(url, key) as client:
        found = client.listed("/v1/documents", limit, **wanted)
    emit_list(found, as_json, _render)


@app.command()
def show(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show all that is known of a document."""
    with connect(url, key) as client:
        emit(client.get(_address(document)), as_json, _render_one)


@app.command()
def text(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Print the text that was found in a document; citations count in it."""
    with connect(url, key) as client:
        emit(client.get(f"{_address(document)}/text"), as_json, lambda value: typer.echo(value["text"]))


@app.command()
def cuts(
    document: DocumentId,
    strategy: Annotated[
        str, typer.Option("--strategy", help="Strategies, with commas between them.")
    ] = "recursive,structure",
    chunk_tokens: Annotated[
        int | None, typer.Option("--chunk-tokens", help="Most tokens in a chunk.")
    ] = None,
    question: Annotated[
        str | None, typer.Option("--question", "-q", help="Show what this finds under each strategy.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Cut a stored document by several strategies, and show what a question finds in each. Nothing is stored."""
    size = {} if chunk_tokens is None else {"size_tokens": chunk_tokens}
    names = dict.fromkeys(name.strip() for name in strategy.split(",") if name.strip())
    wanted = {"profiles": [{"strategy": name, **size} for name in names], "question": question}
    with connect(url, key) as client:
        emit(client.ask(f"{_address(document)}/cuts", wanted), as_json, _render_cuts)


@app.command()
def retry(
    document: Annotated[
        str | None, typer.Argument(help="The document's id, as `knowlog documents list` shows it.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All that have failed, instead of one.")] = False,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="With --failed: only of this collection.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Try a failed document again, or all that have failed."""
    if (document is None) is not failed:
        raise typer.BadParameter("Give the id of one document, or --failed for all that have failed.")
    with connect(url, key) as client:
        if document is not None:
            job = client.post(f"{_address(document)}:retry")
            return emit(job, as_json, lambda _: say(f"Document {document} is tried again."))
        found = list(client.pages("/v1/documents", state="failed", collection=collection))
        jobs = [client.post(f"{_address(each['document_id'])}:retry") for each in found]
    return emit({"jobs": jobs}, as_json, lambda _: say(_retried(len(jobs))))


@app.command()
def delete(
    document: DocumentId, yes: Yes = False, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Delete a document everywhere, and print the receipt that proves it."""
    with connect(url, key) as client:
        if not yes:
            named = one_line(client.get(_address(document))["title"])
            typer.confirm(f"Delete document {document}, {named}?", abort=True, err=True)
        receipt = client.delete(_address(document))
    emit(receipt, as_json, show_fields)


@app.command()
def receipt(document: DocumentId, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Print the receipt of a deleted document once more."""
    with connect(url, key) as client:
        found = client.get(f"{_address(document)}/receipt")
    emit(found, as_json, show_fields)


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
    show_table(table(("Document", "Collection", "State", "Title", "From, or why it failed"), rows))


def _render_cuts(value: dict[str, Any]) -> None:
    rows = (
        [
            each["profile"]["strategy"],
            len(each["chunks"]),
            max((chunk["tokens"] for chunk in each["chunks"]), default=0),
            f"{each['took_ms']:.1f}",
            ", ".join(str(found["chunk"] + 1) for found in each["found"]),
        ]
        for each in value["cuts"]
    )
    show_table(table(("Strategy", ">Chunks", ">Largest", ">ms", "Chunks that the question finds"), rows))
    for note in value["notes"]:
        say(note)


def _render_one(value: dict[str, Any]) -> None:
    labels = ", ".join(f"{name} = {readable(each)}" for name, each in value["metadata"].items())
    answering = value["version"] or "none yet"
    show_fields(
        {
            **{name: value[name] for name in ("document_id", "title", "collection", "external_id", "state")},
            "reason": value["reason"],
            "attempts": value["attempts"],
            "version that answers": answering,
            "latest version": value["latest"],
            "file": ", ".join(
                (
                    value["filename"],
                    counted(value["size_bytes"], "byte"),
                    value["media_type"] or "type unknown",
                )
            ),
            "metadata": labels,
            "received": value["created_at"],
            "changed": value["updated_at"],
            "revision": value["revision"],
        }
    )


def _retried(count: int) -> str:
    if count == 0:
        return "No document has failed."
    return f"{count} failed {'document is' if count == 1 else 'documents are'} tried again."
