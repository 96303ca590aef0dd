"""`knowlog keys`: the API keys of a tenant."""

from typing import Annotated, Any, Literal

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Collections, Key, Limit, Url
from knowlog.cli.output import emit, out, say, table

app = typer.Typer(help="API keys: list, create, revoke.", no_args_is_help=True)
Role = Literal["reader", "editor", "admin", "owner"]


@app.command("list")
def list_keys(limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's keys; never their secrets."""
    with connect(url, key) as client:
        emit({"items": list(client.pages("/v1/keys", limit))}, as_json, _render)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[Role, typer.Option("--role", "-r", help="What it may do.")] = "reader",
    collection: Collections = None,
    expires: Annotated[
        str | None, typer.Option("--expires", help="When it ends, as 2027-01-31T00:00:00Z.")
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a key. Its secret is shown once, now."""
    wanted = {"name": name, "role": role, "collections": collection or None, "expires_at": expires}
    with connect(url, key) as client:
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
        client.delete(f"/v1/keys/{key_id}")
    emit({"revoked": key_id}, as_json, lambda _: say(f"Key {key_id} is revoked."))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["key_id"], each["name"], each["role"], each["hint"], _state(each), each["last_used_at"]]
        for each in listed["items"]
    )
    out.print(table(("Key", "Name", "Role", "Hint", "State", "Last used"), rows))


def _state(key: dict[str, Any]) -> str:
    if key["revoked_at"]:
        return "revoked"
    return f"until {key['expires_at']}" if key["expires_at"] else "valid"
