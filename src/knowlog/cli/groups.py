"""`knowlog groups`: sets of a tenant's members."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, say, show, table
from knowlog.cli.subjects import member_id

app = typer.Typer(help="Groups: list, create, rename, add, remove, delete.", no_args_is_help=True)
TheGroup = Annotated[str, typer.Argument(help="Name or id of the group.", metavar="GROUP")]
TheMembers = Annotated[
    list[str], typer.Argument(help="E-mail addresses or ids of members.", metavar="MEMBER...")
]


@app.command("list")
def list_groups(limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List groups by name. `knowlog members list --group NAME` shows who is in one."""
    with connect(url, key) as client:
        emit_list(client.listed("/v1/groups", limit), as_json, _render)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What it is called.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Create a group without members. Prints its id."""
    with connect(url, key) as client:
        made = client.post("/v1/groups", {"name": name})
    emit(made, as_json, lambda value: typer.echo(value["group_id"]))


@app.command()
def rename(
    group: TheGroup,
    name: Annotated[str, typer.Argument(help="What it is called from now on.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Give a group another name."""
    with connect(url, key) as client:
        changed = client.call("PATCH", _address(group), value={"name": name})
    emit(changed, as_json, lambda value: say(f"The group is called {value['name']}."))


@app.command()
def add(
    group: TheGroup, members: TheMembers, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Let members join a group."""
    with connect(url, key) as client:
        ids = [member_id(client, each) for each in members]
        changed = client.post(f"{_address(group)}/members", {"members": ids})
    emit(changed, as_json, _count)


@app.command()
def remove(
    group: TheGroup, members: TheMembers, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """Take members out of a group, at once."""
    with connect(url, key) as client:
        for each in members:
            changed = client.delete(f"{_address(group)}/members/{member_id(client, each)}")
    emit(changed, as_json, _count)


@app.command()
def delete(group: TheGroup, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Delete a group. Its members stay members of the tenant."""
    with connect(url, key) as client:
        gone = client.delete(_address(group))
    emit(gone, as_json, lambda value: say(f"The group {value['name']} is deleted."))


def _address(group: str) -> str:
    return f"/v1/groups/{quote(group, safe='')}"


def _count(group: dict[str, Any]) -> None:
    count = group["member_count"]
    say(f"The group {group['name']} has {count} member{'' if count == 1 else 's'}.")


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["group_id"], each["name"], each["member_count"], each["created_at"]] for each in listed["items"]
    )
    show(table(("Group", "Name", ">Members", "Created"), rows))
