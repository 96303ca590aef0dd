"""`knowlog access`: who may see a collection or a document."""

from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, out
from knowlog.cli.subjects import subject_id, subject_names

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(
    help="Who may see a collection, or a document: show, allow, deny, inherit.", no_args_is_help=True
)

Collection = Annotated[
    str | None, typer.Option("--collection", "-c", help="Name of the collection that is meant.")
]
Document = Annotated[str | None, typer.Option("--document", "-d", help="Id of the document that is meant.")]
Subjects = Annotated[
    list[str], typer.Argument(help="Members, by e-mail address or id, and groups, by name or id.")
]


@app.command()
def show(
    collection: Collection = None,
    document: Document = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show for whom it is. Owners and admins see everything."""
    with connect(url, key) as client:
        _emit(client, client.get(_address(collection, document)), as_json)


@app.command()
def allow(
    subjects: Subjects,
    collection: Collection = None,
    document: Document = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Let members and groups see it, and nobody besides those that its list names."""
    with connect(url, key) as client:
        change = {"allow": [subject_id(client, each) for each in subjects]}
        _emit(client, client.call("PATCH", _address(collection, document), value=change), as_json)


@app.command()
def deny(
    subjects: Subjects,
    collection: Collection = None,
    document: Document = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take members and groups out of its list. Holds from the next call on, also in open streams."""
    with connect(url, key) as client:
        change = {"deny": [subject_id(client, each) for each in subjects]}
        _emit(client, client.call("PATCH", _address(collection, document), value=change), as_json)


@app.command()
def inherit(
    collection: Collection = None,
    document: Document = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Take its own list away: a document is for those for whom its collection is, a collection for all."""
    with connect(url, key) as client:
        changed = client.call("PUT", _address(collection, document), value={"subjects": None})
        _emit(client, changed, as_json)


def _address(collection: str | None, document: str | None) -> str:
    if (collection is None) == (document is None):
        raise typer.BadParameter("Name one thing: --collection NAME or --document ID.")
    if collection is not None:
        return f"/v1/collections/{quote(collection, safe='')}/access"
    return f"/v1/documents/{quote(str(document), safe='')}/access"


def _emit(client: "Client", access: dict[str, Any], as_json: bool) -> None:
    names = {} if as_json or not access["effective"] else subject_names(client)
    emit(access, as_json, lambda value: _render(value, names))


def _render(access: dict[str, Any], names: dict[str, str]) -> None:
    held = access["effective"]
    if held is None:
        out.print("Everybody of the tenant.")
    elif not held:
        out.print("Owners and admins alone.")
    for each in held or ():
        out.print(f"{each}  {names.get(each, '')}".rstrip(), markup=False)
    if access["subjects"] is None and held is not None:
        out.print("(by the list of its collection)")
