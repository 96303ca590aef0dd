"""`knowlog sessions`: signing in as a person, and what people do with their passwords."""

import sys
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.answered import Refused
from knowlog.cli.connection import connect, connect_nobody
from knowlog.cli.options import AsJson, Url
from knowlog.cli.output import emit, out, say, show, table
from knowlog.cli.values import typed_password

if TYPE_CHECKING:
    from knowlog.cli.client import Client

app = typer.Typer(
    help="Sessions of people: accept, sign-in, refresh, current, list, end, end-all, switch, password, forgot,"
    " reset-password, second-factor.",
    no_args_is_help=True,
)
_PASSWORD, _NEW_PASSWORD = "KNOWLOG_PASSWORD", "KNOWLOG_NEW_PASSWORD"
Token = Annotated[str, typer.Argument(help="Token from the mail.")]
Password = Annotated[
    str | None,
    typer.Option(
        "--password",
        envvar=_PASSWORD,
        help="Password. [default: asked for, or the next line of standard input]",
    ),
]
NewPassword = Annotated[
    str | None,
    typer.Option(
        "--new-password",
        envvar=_NEW_PASSWORD,
        help="8 to 1,024 characters. [default: asked for, or the next line of standard input]",
    ),
]
Code = Annotated[str | None, typer.Option("--code", help="Code of the second factor.")]
Access = Annotated[
    str | None,
    typer.Option("--key", help="Access token of the session. [default: KNOWLOG_KEY]"),
]


@app.command()
def accept(
    token: Token,
    password: Password = None,
    name: Annotated[str | None, typer.Option("--name", help="What you are called.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Accept an invitation, with the password that you have here or a new one."""
    wanted = {"token": token, "password": _known(password), "name": name}
    with connect_nobody(url) as client:
        made = client.post("/v1/invitations:accept", wanted)
    emit(made, as_json, lambda value: say(f"{value['email']} is a member with the role {value['role']}."))


@app.command("sign-in")
def sign_in(
    email: Annotated[str, typer.Argument(help="Your e-mail address.")],
    password: Password = None,
    code: Code = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Id of the tenant. [default: the last]")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Sign in. Prints the access token, for KNOWLOG_KEY; with --json also the refresh token."""
    wanted = {"email": email, "password": _known(password), "code": code, "tenant_id": tenant}
    with connect_nobody(url) as client:
        try:
            made = client.post("/v1/sessions", wanted)
        except Refused as error:
            if error.problem.get("code") != "code-needed" or code or not sys.stdin.isatty():
                raise
            made = client.post("/v1/sessions", {**wanted, "code": typer.prompt("Code", err=True)})
    emit(made, as_json, _print_token)


@app.command()
def refresh(
    token: Annotated[str, typer.Argument(help="Refresh token.")], url: Url = None, as_json: AsJson = False
) -> None:
    """Get new tokens for a refresh token, which is used up."""
    with connect_nobody(url) as client:
        made = client.post("/v1/sessions:refresh", {"refresh_token": token})
    emit(made, as_json, _print_token)


@app.command()
def current(url: Url = None, key: Access = None, as_json: AsJson = False) -> None:
    """Show whose session it is, and which tenants they are a member of."""
    with connect(url, key) as client:
        emit(client.get("/v1/sessions/current"), as_json, _render_current)


@app.command("list")
def list_sessions(url: Url = None, key: Access = None, as_json: AsJson = False) -> None:
    """List your open sessions in this tenant."""
    with connect(url, key) as client:
        emit(client.get("/v1/sessions"), as_json, _render)


@app.command()
def end(
    session: Annotated[str, typer.Argument(help="Id of the session.")],
    url: Url = None,
    key: Access = None,
    as_json: AsJson = False,
) -> None:
    """Sign out of one session, at once."""
    with connect(url, key) as client:
        client.delete(f"/v1/sessions/{quote(session, safe='')}")
    emit({"ended": session}, as_json, lambda _: say("The session has ended."))


@app.command("end-all")
def end_all(url: Url = None, key: Access = None, as_json: AsJson = False) -> None:
    """Sign out everywhere, at once."""
    with connect(url, key) as client:
        client.delete("/v1/sessions")
    emit({"ended": "all"}, as_json, lambda _: say("All your sessions have ended."))


@app.command()
def switch(
    tenant: Annotated[str, typer.Argument(help="Id of the tenant.")],
    url: Url = None,
    key: Access = None,
    as_json: AsJson = False,
) -> None:
    """Open a session in another tenant of yours. Prints its access token."""
    with connect(url, key) as client:
        emit(client.post("/v1/sessions:switch", {"tenant_id": tenant}), as_json, _print_token)


@app.command()
def password(
    password: Password = None,
    new_password: NewPassword = None,
    url: Url = None,
    key: Access = None,
    as_json: AsJson = False,
) -> None:
    """Choose another password. Your other sessions end."""
    wanted = {"password": _known(password), "new_password": _chosen(new_password)}
    with connect(url, key) as client:
        client.call("PUT", "/v1/password", value=wanted)
    emit(
        {"changed": True}, as_json, lambda _: say("The password is changed; your other sessions have ended.")
    )


@app.command()
def forgot(
    email: Annotated[str, typer.Argument(help="Your e-mail address.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Have a link mailed with which the password is set anew."""
    with connect_nobody(url) as client:
        client.post("/v1/password-resets", {"email": email})
    emit({"asked": True}, as_json, lambda _: say("If the address is known here, a link is on its way to it."))


@app.command("reset-password")
def reset_password(
    token: Token, new_password: NewPassword = None, url: Url = None, as_json: AsJson = False
) -> None:
    """Set the password anew, with the token from the mail."""
    wanted = {"token": token, "password": _chosen(new_password)}
    with connect_nobody(url) as client:
        client.post("/v1/password-resets:use", wanted)
    emit({"changed": True}, as_json, lambda _: say("The password is set; sign in with it."))


@app.command("second-factor")
def second_factor(
    password: Password = None,
    confirm: Annotated[str | None, typer.Option("--confirm", help="First code that the app shows.")] = None,
    remove: Annotated[str | None, typer.Option("--remove", help="A code, to ask for none any more.")] = None,
    url: Url = None,
    key: Access = None,
    as_json: AsJson = False,
) -> None:
    """Begin a second factor, then --confirm it with the app's first code; or --remove it."""
    with connect(url, key) as client:
        emit(_second_factor(client, password, confirm, remove), as_json, _render_second_factor)


def _known(password: str | None) -> str:
    return password or typed_password("Password", _PASSWORD)


def _chosen(new_password: str | None) -> str:
    return new_password or typed_password("New password", _NEW_PASSWORD, twice=True)


def _second_factor(
    client: "Client", password: str | None, confirm: str | None, remove: str | None
) -> dict[str, Any]:
    if remove is not None:
        client.post("/v1/second-factor:remove", {"password": _known(password), "code": remove})
        return {"removed": True}
    if confirm is not None:
        confirmed: dict[str, Any] = client.post("/v1/second-factor:confirm", {"code": confirm})
        return confirmed
    begun: dict[str, Any] = client.post("/v1/second-factor", {"password": _known(password)})
    return begun


def _render_second_factor(value: dict[str, Any]) -> None:
    if "recovery_codes" in value:
        say("From now on a code is asked for. Keep these recovery codes; each is good once:")
    for each in value.get("recovery_codes") or [value.get("uri") or "A code is asked for no more."]:
        out.print(each, markup=False)


def _print_token(value: dict[str, Any]) -> None:
    out.print(value["access_token"], markup=False)


def _render_current(value: dict[str, Any]) -> None:
    member = value["member"]
    say(f"{member['email']} ({member['name']}), {member['role']}")
    rows = ([each["tenant_id"], each["tenant"], each["role"]] for each in value["memberships"] or ())
    show(table(("Tenant", "Name", "Role"), rows))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["session_id"],
            each["current"],
            each["agent"],
            each["address"],
            each["last_used_at"],
            each["expires_at"],
        ]
        for each in listed["items"]
    )
    show(table(("Session", "This one", "Program", "Address", "Last used", "Until"), rows))
