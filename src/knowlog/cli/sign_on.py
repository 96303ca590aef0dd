"""`knowlog sign-on`: the OpenID providers by which members of a tenant sign in."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect
from knowlog.cli.options import AsJson, Key, Url
from knowlog.cli.output import emit, out, say, show, show_fields, table
from knowlog.cli.values import typed_secret

app = typer.Typer(
    help="Single sign-on by your own OpenID provider: add, list, show, check, change, remove.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(help="Name of the sign-on, such as company.")]
Given = Literal["reader", "editor", "admin"]


def _many(option: str, text: str) -> Any:
    return typer.Option(option, help=f"{text} May be given more than once.")


ClientId = Annotated[str | None, typer.Option("--client-id", help="What the provider calls this client.")]
Domains = Annotated[list[str] | None, _many("--domain", "E-mail domain that the provider speaks for.")]
Scopes = Annotated[
    list[str] | None, _many("--scope", "What is asked of the provider. [default: openid email profile]")
]
Groups = Annotated[
    list[str] | None, _many("--group", "Group that the provider fills: its value, or value=group here.")
]
Roles = Annotated[list[str] | None, _many("--role", "Role by a group of the provider: value=editor.")]
GroupsClaim = Annotated[
    str | None, typer.Option("--groups-claim", help="Claim that lists the groups. [default: groups]")
]
DefaultRole = Annotated[
    Literal["reader", "editor", "admin", "none"] | None,
    typer.Option("--default-role", help="Role of the others; none: they are not let in. [default: reader]"),
]
TrustsEmails = Annotated[
    bool | None,
    typer.Option(
        "--trust-emails/--verified-emails",
        help="Take addresses of which the provider does not say whether they are verified. [default: only verified]",
    ),
]
Creates = Annotated[
    bool | None,
    typer.Option(
        "--new-members/--known-members",
        help="Let in who is no member yet, or members alone. [default: new ones too]",
    ),
]
Hours = Annotated[
    int | None, typer.Option("--session-hours", help="Sessions end after so long. [default: 12]")
]


@app.command()
def add(
    name: Name,
    issuer: Annotated[str, typer.Option("--issuer", help="The provider's address, as it names itself.")],
    client_id: ClientId = None,
    public: Annotated[bool, typer.Option("--public", help="The client has no secret.")] = False,
    domain: Domains = None,
    scope: Scopes = None,
    group: Groups = None,
    role: Roles = None,
    groups_claim: GroupsClaim = None,
    default_role: DefaultRole = None,
    trust_emails: TrustsEmails = None,
    new_members: Creates = None,
    session_hours: Hours = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Add a sign-on. The client's secret is typed unseen, or piped. Prints the address to register at the provider."""
    terms = _terms(
        client_id=client_id, domains=domain, scopes=scope, groups=_named(group), roles=_named(role),
        groups_claim=groups_claim, default_role=default_role, trusts_emails=trust_emails,
        creates_members=new_members, session_hours=session_hours,
        client_secret=None if public else typed_secret('printf %s "$SECRET" | knowlog sign-on add ...'),
    )  # fmt: skip
    with connect(url, key) as client:
        made = client.post("/v1/sign-on", {"name": name, "issuer": issuer, **terms})
    emit(made, as_json, _render_added)


@app.command("list")
def list_sign_ons(url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """List the tenant's sign-ons; never their secrets."""
    with connect(url, key) as client:
        emit(client.get("/v1/sign-on"), as_json, _render_list)


@app.command("show")
def show_sign_on(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Show one sign-on, with the address at which people begin."""
    with connect(url, key) as client:
        emit(client.get(_address(name)), as_json, _render)


@app.command()
def check(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Ask the provider about itself. Exit code 1 where nobody could sign in by it, with what is wrong."""
    with connect(url, key) as client:
        found = client.post(f"{_address(name)}/provider/check", None)
    emit(found, as_json, _render_look)
    if found["problem"]:
        raise typer.Exit(1)


@app.command()
def change(
    name: Name,
    client_id: ClientId = None,
    secret: Annotated[
        bool, typer.Option("--secret", help="Read a new secret, typed unseen or piped.")
    ] = False,
    domain: Domains = None,
    scope: Scopes = None,
    group: Groups = None,
    role: Roles = None,
    groups_claim: GroupsClaim = None,
    default_role: DefaultRole = None,
    trust_emails: TrustsEmails = None,
    new_members: Creates = None,
    session_hours: Hours = None,
    enforced: Annotated[
        bool | None,
        typer.Option("--enforced/--not-enforced", help="Let nobody sign in to the tenant with a password."),
    ] = None,
    url: Url = None,
    key: Key = None,
    as_json: AsJson = False,
) -> None:
    """Change a sign-on; lists replace what was there. With --enforced, sessions by password end at once."""
    terms = _terms(
        client_id=client_id, domains=domain, scopes=scope, groups=_named(group), roles=_named(role),
        groups_claim=groups_claim, default_role=default_role, trusts_emails=trust_emails,
        creates_members=new_members, session_hours=session_hours, enforced=enforced,
        client_secret=typed_secret('printf %s "$SECRET" | knowlog sign-on change NAME --secret') if secret else None,
    )  # fmt: skip
    with connect(url, key) as client:
        emit(client.call("PATCH", _address(name), value=terms), as_json, _render)


@app.command()
def remove(name: Name, url: Url = None, key: Key = None, as_json: AsJson = False) -> None:
    """Remove a sign-on. Sessions of who came by it end at once; members and groups stay."""
    with connect(url, key) as client:
        gone = client.delete(_address(name))
    emit(gone, as_json, lambda each: say(f"Nobody signs in by {each['name']} any more."))


def _terms(**given: Any) -> dict[str, Any]:
    """What was given; the rest stays as it is."""
    return {name: value for name, value in given.items() if value is not None}


def _named(given: Iterable[str] | None) -> dict[str, str] | None:
    """`value=name` pairs; a value alone names itself."""
    if given is None:
        return None
    split = (each.rpartition("=") for each in given)
    return {value or name: name for value, _, name in split}


def _render_added(value: dict[str, Any]) -> None:
    say(
        f"{value['sign_on']['name']} is added. Register this address at the provider, where it leads people back to:"
    )
    out.print(value["redirect_uri"], markup=False, soft_wrap=True)
    say("And this one, where the provider can tell who has signed out there (back-channel logout):")
    out.print(value["logout_uri"], markup=False, soft_wrap=True)
    say("People begin to sign in here:")
    out.print(value["start"], markup=False, soft_wrap=True)


def _render(value: dict[str, Any]) -> None:
    addresses = {each: value[each] for each in ("redirect_uri", "logout_uri", "start")}
    show_fields({**value["sign_on"], **addresses})


def _render_list(listed: dict[str, Any]) -> None:
    rows = (
        [each["name"], each["issuer"], each["domains"], each["enforced"], each["last_used_at"] or "never"]
        for each in listed["items"]
    )
    show(table(("Sign-on", "Provider", "Domains", "Enforced", "Last used"), rows))


def _render_look(look: dict[str, Any]) -> None:
    if look["problem"]:
        say(f"Nobody can sign in by it: {look['problem']}")
    else:
        tells = "tells" if look["tells_of_logout"] else "does not tell"
        say(f"{look['issuer']} answers, with {look['key_count']} keys. It {tells} who has signed out there.")


def _address(name: str) -> str:
    return f"/v1/sign-on/{quote(name, safe='')}"
