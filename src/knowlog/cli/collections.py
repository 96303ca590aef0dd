"""`knowlog collections`: named sets of documents."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url, Yes
from knowlog.cli.output import emit, out, say, table
from knowlog.cli.values import json_object

app = typer.Typer(help="Collections: list, create, show, delete.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the collection.")]


@app.command("list")
def list_collections(limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List collections."""
    with connect(url, key) as client:
        emit({"items": list(client.pages("/v1/collections", limit))}, as_json, _render)


@app.command()
def create(
    name: Name,
    profile: Annotated[str | None, typer.Option("--profile", help="Its profile, as a JSON object.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a collection."""
    wanted: dict[str, Any] = {"name": name}
    if profile:
        wanted["profile"] = json_object(profile, "--profile")
    with connect(url, key) as client:
        made = client.post("/v1/collections", wanted)
    emit(made, as_json, lambda value: say(f"Collection {value['name']} is there."))


@app.command()
def show(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show a collection with its profile."""
    with connect(url, key) as client:
        emit(client.get(f"/v1/collections/{name}"), as_json, lambda value: out.print_json(data=value))


@app.command()
def delete(name: Name, yes: Yes = False, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a collection with all its documents."""
    if not yes:
        typer.confirm(f"Delete collection {name} with all its documents?", abort=True, err=True)
    with connect(url, key) as client:
        client.delete(f"/v1/collections/{name}")
    emit({"deleted": name}, as_json, lambda _: say(f"Collection {name} is deleted."))


def _render(listed: dict[str, Any]) -> None:
    rows = ([each["name"], each["document_count"], each["updated_at"]] for each in listed["items"])
    out.print(table(("Name", ">Documents", "Changed"), rows))
