"""`knowlog uploads`: large files on their way."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, emit_list, say, show, table
from knowlog.cli.values import address

app = typer.Typer(
    help="Your large files that are not wholly here: list, delete. `knowlog ingest` goes on with one.",
    no_args_is_help=True,
)


@app.command("list")
def list_uploads(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List your uploads that are not finished, the one that was gone on with last first."""
    with connect(url, key) as client:
        emit_list(client.get("/v1/uploads"), as_json, _render)


@app.command()
def delete(
    upload: Annotated[str, typer.Argument(help="Id of an upload of yours.", metavar="UPLOAD")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Give an upload up, with all that is kept of it."""
    with connect(url, key) as client:
        client.delete(address("uploads", upload))
    emit({"deleted": upload}, as_json, lambda _: say("The upload is given up."))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["upload_id"],
            each["external_id"],
            each["size_bytes"],
            each["received_bytes"],
            each["expires_at"],
        ]
        for each in listed["items"]
    )
    show(table(("Upload", "File", ">Bytes", ">Here", "Until"), rows))
