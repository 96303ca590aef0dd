"""`knowlog members`: the people of a tenant."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.keys import Role
from knowlog.cli.options import AsJson, Key, Limit, Url
from knowlog.cli.output import emit, emit_list, say, show, table
from knowlog.cli.subjects import member_id

app = typer.Typer(
    help="Members: list, invite, invitations, withdraw, add, change, disable, enable, remove.",
    no_args_is_help=True,
)
TheMember = Annotated[str, typer.Argument(help="E-mail address or id of the member.", metavar="MEMBER")]
GroupName = Annotated[str | None, typer.Option("--group", "-g", help="Only those in this group.")]


@app.command("list")
def list_members(
    group: GroupName = None, limit: Limit = 100, url: Url = None, key: Key = None, as_json: AsJson = False
) -> None:
    """List the tenant's members, with their roles and groups."""
    with connect(url, key) as client:
        found = client.listed("/v1/members", limit, group=group)
        named = {} if as_json else {each["group_id"]: each["name"] for each in client.pages("/v1/groups")}
    emit_list(found, as_json, lambda value: _render(value, named))


@app.command()
def invite(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    role: Annotated[Role, typer.Option("--role", "-r", help="What they may do.")] = "reader",
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Invite somebody. The link is mailed to them alone; where no mail server is set, the worker prints it."""
    with connect(url, key) as client:
        made = client.post("/v1/invitations", {"email": email, "role": role})
    emit(made, as_json, lambda value: say(f"{value['email']} is invited; the link is mailed to them."))


@app.command()
def invitations(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List invitations that wait to be accepted, with whether their mail was sent."""
    with connect(url, key) as client:
        emit(client.get("/v1/invitations"), as_json, _render_invitations)


@app.command()
def withdraw(
    invitation: Annotated[str, typer.Argument(help="Id of the invitation.")],
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Let nobody accept an invitation any more."""
    with connect(url, key) as client:
        gone = client.delete(f"/v1/invitations/{quote(invitation, safe='')}")
    emit(gone, as_json, lambda value: say(f"The invitation of {value['email']} is withdrawn."))


@app.command()
def add(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    role: Annotated[Role, typer.Option("--role", "-r", help="What they may do.")] = "reader",
    name: Annotated[str | None, typer.Option("--name", help="What they are called.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Make somebody a member at once, such as one who signs in by single sign-on."""
    with connect(url, key) as client:
        made = client.post("/v1/members", {"email": email, "role": role, "name": name})
    emit(made, as_json, lambda value: say(f"{value['email']} is a member with the role {value['role']}."))


@app.command()
def change(
    member: TheMember,
    role: Annotated[Role | None, typer.Option("--role", "-r", help="What they may do from now on.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="What they are called.")] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Give a member another role or name. It holds from their next call on."""
    _change(member, {"role": role, "name": name}, url, key, as_json)


@app.command()
def disable(member: TheMember, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let a member open nothing any more, at once. They keep their groups."""
    _change(member, {"enabled": False}, url, key, as_json)


@app.command()
def enable(member: TheMember, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Let a member in again."""
    _change(member, {"enabled": True}, url, key, as_json)


@app.command()
def remove(member: TheMember, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Remove a member from the tenant, at once."""
    with connect(url, key) as client:
        gone = client.delete(f"/v1/members/{member_id(client, member)}")
    emit(gone, as_json, lambda value: say(f"{value['email']} is no member any more."))


def _change(member: str, wanted: dict[str, Any], url: str | None, key: str | None, as_json: bool) -> None:
    change = {field: value for field, value in wanted.items() if value is not None}
    with connect(url, key) as client:
        changed = client.call("PATCH", f"/v1/members/{member_id(client, member)}", value=change)
    emit(changed, as_json, lambda value: say(_told(value)))


def _told(member: dict[str, Any]) -> str:
    state = "disabled" if member["disabled_at"] else f"a member with the role {member['role']}"
    return f"{member['email']} is {state}."


def _render_invitations(listed: dict[str, Any]) -> None:
    rows = (
        [each["invitation_id"], each["email"], each["role"], each["expires_at"],
         each["failure"] or each["sent_at"] or "not yet"]
        for each in listed["items"]
    )  # fmt: skip
    show(table(("Invitation", "E-mail", "Role", "Until", "Mailed"), rows))


def _render(listed: dict[str, Any], groups: dict[str, str]) -> None:
    rows = (
        [each["member_id"], each["email"], each["name"], each["role"],
         ", ".join(sorted(groups.get(group, group) for group in each["groups"])) or "none",
         "provisioning" if each["provisioned_at"] else "people", each["last_seen_at"] or "never", each["disabled_at"]]
        for each in listed["items"]
    )  # fmt: skip
    show(table(("Member", "E-mail", "Name", "Role", "Groups", "Kept by", "Last seen", "Disabled"), rows))
