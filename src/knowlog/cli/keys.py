"""`knowlog keys`: the API keys of a tenant."""

from typing import Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, out, say, show, table
from knowlog.cli.subjects import group_id
from knowlog.cli.usage import Changes, changed
from knowlog.cli.usage import render as render_limits
from knowlog.cli.values import address

app = typer.Typer(help="API keys: list, create, limits, revoke.", no_args_is_help=True)
Role = Literal["reader", "editor", "admin", "owner"]
KeyRole = Literal["reader", "editor", "admin", "owner", "provisioner"]


@app.command("list")
def list_keys(limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's keys with their limits; never their secrets."""
    with connect(url, key) as client:
        found = client.get("/v1/keys")
        found["items"] = found["items"][:limit]
        limited = not as_json and any(each["collections"] for each in found["items"])
        named = list(client.pages("/v1/collections")) if limited else []
    names = {each["collection_id"]: each["name"] for each in named}
    emit_list(found, as_json, lambda value: _render(value, names))


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[
        KeyRole,
        typer.Option(
            "--role", "-r", help="What it may do; provisioner: keep members for an identity provider."
        ),
    ] = "reader",
    collection: Collections = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When it ends, as 2027-01-31T00:00:00Z.")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group",
            "-g",
            help="Name or id of a group whose documents it sees; may be given more than once.",
        ),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. Its secret is shown once, now."""
    wanted: dict[str, Any] = {
        "name": name,
        "role": role,
        "collections": collection or None,
        "expires_at": expires,
    }
    with connect(url, key) as client:
        wanted["groups"] = [group_id(client, each) for each in group or ()] or None
        made = client.post("/v1/keys", {field: value for field, value in wanted.items() if value is not None})
    emit(made, as_json, lambda value: out.print(value["secret"]))


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `knowlog keys list` shows it.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a key. It stops working at once."""
    with connect(url, key) as client:
        client.delete(address("keys", key_id))
    emit({"revoked": key_id}, as_json, lambda _: say(f"Key {key_id} is revoked."))


@app.command()
def limits(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `knowlog keys list` shows it.")],
    changes: Changes = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Show what a key may use and has used; with --set, change what it may, within what the tenant may."""
    place = f"{address('keys', key_id)}/limits"
    with connect(url, key) as client:
        found = client.get(place)
        if changes:
            found = client.call("PUT", place, value=changed(found["limits"], changes))
    emit(found, as_json, render_limits)


def _render(listed: dict[str, Any], names: dict[str, str]) -> None:
    columns = ("Key", "Name", "Role", "Collections", "Ends with", "Expires", "Last used", "Revoked")
    rows = (
        [
            each["key_id"],
            each["name"],
            each["role"],
            _limits(each, names),
            each["hint"],
            each["expires_at"] or "never",
            each["last_used_at"] or "never",
            each["revoked_at"],
        ]
        for each in listed["items"]
    )
    show(table(columns, rows))


def _limits(key: dict[str, Any], names: dict[str, str]) -> str:
    """The names of the collections that a key is limited to; of one that is deleted, its id."""
    if key["collections"] is None:
        return "all"
    return ", ".join(names.get(each, each) for each in key["collections"])
