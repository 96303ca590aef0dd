"""`knowlog origins`: whose pages in a browser may call for the tenant."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, say, show, table

app = typer.Typer(help="Origins whose pages may call (CORS): add, list, remove.", no_args_is_help=True)
TheOrigin = Annotated[str, typer.Argument(help="Scheme, host and port, such as https://app.example.com.")]


@app.command()
def add(origin: TheOrigin, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let pages of an origin call for your tenant, with its keys and with cookies."""
    with connect(url, key) as client:
        made = client.post("/v1/origins", {"origin": origin})
    emit(made, as_json, lambda value: say(f"Pages of {value['origin']} may call."))


@app.command("list")
def list_origins(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the origins whose pages may call."""
    with connect(url, key) as client:
        emit(client.get("/v1/origins"), as_json, _render)


@app.command()
def remove(origin: TheOrigin, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let pages of an origin call no longer."""
    with connect(url, key) as client:
        client.delete("/v1/origins", origin=origin)
    emit({"removed": origin}, as_json, lambda _: say(f"Pages of {origin} may call no longer."))


def _render(listed: dict[str, Any]) -> None:
    rows = ([each["origin"], each["created_at"], each["created_by"]] for each in listed["items"])
    show(table(("Origin", "Since", "Listed by"), rows))
