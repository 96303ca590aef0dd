"""`knowlog tenants`: for the operator of an installation."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.archives import bring_in_archive, save_archive
from knowlog.cli.connection import connect_operator
from knowlog.cli.keys import Role
from knowlog.cli.options import AsJson, Limit, OperatorKey, Url, Yes
from knowlog.cli.output import emit, emit_list, out, say, show, table
from knowlog.cli.usage import Changes, changed
from knowlog.cli.usage import render as render_limits
from knowlog.cli.values import address
from knowlog.kernel.wording import counted

app = typer.Typer(
    help="Tenants: list, create, key, slug, release, weight, limits, queues, suspend, resume, silos, move, export,"
    " import, receipt, delete. Needs the operator key.",
    no_args_is_help=True,
)
_address = partial(address, "tenants")
_LOOK_S = 0.5
TenantId = Annotated[str, typer.Argument(help="The tenant's id.")]


@app.command("list")
def list_tenants(
    limit: Limit = 100, url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False
) -> None:
    """List tenants."""
    with connect_operator(url, operator_key) as client:
        emit_list(client.listed("/v1/tenants", limit), as_json, _render)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the tenant.")],
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Create a tenant, with a first key of the role owner, which is shown once."""
    with connect_operator(url, operator_key) as client:
        made = client.post("/v1/tenants", {"name": name})
    emit(made, as_json, _render_new)


@app.command()
def key(
    tenant: TenantId,
    name: Annotated[str, typer.Option("--name", help="What the key is for.")] = "issued by the operator",
    role: Annotated[Role, typer.Option("--role", "-r", help="What it may do.")] = "owner",
    expires: Annotated[
        str | None, typer.Option("--expires", help="When it ends, as 2027-01-31T00:00:00Z.")
    ] = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Issue a key to a tenant that is there, such as one whose owner's key is lost. It is shown once.

    The tenant sees in its list of keys that the operator made it, and the server's log has a line of it.
    """
    wanted = {"name": name, "role": role, **({} if expires is None else {"expires_at": expires})}
    with connect_operator(url, operator_key) as client:
        made = client.post(f"{_address(tenant)}/keys", wanted)
    emit(made, as_json, lambda value: out.print(value["secret"], markup=False))


@app.command()
def weight(
    tenant: TenantId,
    share: Annotated[
        int,
        typer.Argument(min=1, max=1000, help="Its share of the workers; others have 1.", metavar="WEIGHT"),
    ],
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Set a tenant's share of the workers: with 3 it is served three times as much as one with 1."""
    with connect_operator(url, operator_key) as client:
        changed = client.call("PATCH", _address(tenant), value={"weight": share})
    emit(changed, as_json, lambda value: say(f"{value['name']} has the weight {value['weight']}."))


@app.command()
def slug(
    tenant: TenantId,
    name: Annotated[
        str | None, typer.Argument(help="Its name in addresses; leave it out to see it.", metavar="SLUG")
    ] = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Set by which name a tenant is called in subdomains, paths and headers, or show it."""
    with connect_operator(url, operator_key) as client:
        place = f"{_address(tenant)}/slug"
        found = client.get(place) if name is None else client.call("PUT", place, value={"slug": name})
    emit(found, as_json, lambda value: out.print(value["slug"] or "none", markup=False))


@app.command()
def release(
    tenant: TenantId,
    domain: Annotated[str, typer.Argument(help="The domain.")],
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Let a domain lead to a tenant no longer, so that who runs it now can prove it for another."""
    with connect_operator(url, operator_key) as client:
        client.delete(f"{_address(tenant)}/domains/{quote(domain, safe='')}")
    emit({"released": domain}, as_json, lambda _: say(f"{domain} leads to {tenant} no longer."))


@app.command()
def limits(
    tenant: TenantId,
    changes: Changes = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Show what a tenant may use and has used; with --set, change what it may."""
    place = f"{_address(tenant)}/limits"
    with connect_operator(url, operator_key) as client:
        found = client.get(place)
        if changes:
            found = client.call("PUT", place, value=changed(found["limits"], changes))
    emit(found, as_json, render_limits)


@app.command()
def queues(url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False) -> None:
    """List how much work waits, runs and has failed, by tenant and queue."""
    with connect_operator(url, operator_key) as client:
        emit(client.get("/v1/queues"), as_json, _render_queues)


@app.command()
def suspend(
    tenant: TenantId,
    because: Annotated[str, typer.Option("--because", help="Why, for the operator's lists.")] = "",
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Refuse all calls of a tenant, and leave its jobs. Nothing of it is lost."""
    with connect_operator(url, operator_key) as client:
        changed = client.call("PUT", f"{_address(tenant)}/suspension", value={"because": because})
    emit(changed, as_json, lambda value: say(f"{value['name']} is suspended."))


@app.command()
def resume(
    tenant: TenantId, url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False
) -> None:
    """Let a suspended tenant go on where it stood."""
    with connect_operator(url, operator_key) as client:
        changed = client.delete(f"{_address(tenant)}/suspension")
    emit(changed, as_json, lambda value: say(f"{value['name']} goes on."))


@app.command()
def silos(url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False) -> None:
    """List the databases: the home, and those of tenants' own, as KNOWLOG_DATABASE_SILOS names them."""
    with connect_operator(url, operator_key) as client:
        emit(client.get("/v1/silos"), as_json, _render_silos)


@app.command()
def move(
    tenant: TenantId,
    to: Annotated[
        str | None, typer.Option("--to", help="A silo, or `home`. Without it, see how far the last move is.")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Give the move up; the tenant stays.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is over.")] = False,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Move a tenant to a database of its own, or back, while it is used. Workers do it.

    For a moment at the end it is read and not written: what would write then is to be sent again.
    """
    place = f"{_address(tenant)}/move"
    with connect_operator(url, operator_key) as client:
        if cancel:
            found = client.delete(place)
        elif to is not None:
            found = client.post(place, {"to": to})
        else:
            found = client.get(place)
        while wait and not found["finished_at"]:
            time.sleep(_LOOK_S)
            found = client.get(place)
    emit(found, as_json, _render_move)


@app.command()
def export(
    tenant: TenantId,
    file: Annotated[Path, typer.Argument(help="The archive is written here; it must not be there yet.")],
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Write everything that a tenant holds into one archive. Keep its SHA-256 elsewhere: `import --sha256` needs it."""
    with connect_operator(url, operator_key) as client:
        saved = save_archive(client, f"{_address(tenant)}/export", file)
    emit(saved, as_json, lambda value: out.print(value["sha256"], markup=False))


@app.command("import")
def bring_in(
    file: Annotated[Path, typer.Argument(help="An archive that `knowlog tenants export` wrote.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the tenant here. [default: its own]")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Refuse an archive that has another SHA-256.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring a tenant in from an archive, under a new id, with a first key of the role owner, which is shown once.

    Runs on a machine that has the settings of the installation: it writes into its database and blob store.
    """
    emit(bring_in_archive(file, name, sha256), as_json, _render_brought)


@app.command()
def receipt(
    tenant: TenantId, url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False
) -> None:
    """Show what deleting a tenant removed, and search every table for it once more."""
    with connect_operator(url, operator_key) as client:
        found = client.get(f"{_address(tenant)}/receipt")
    emit(found, as_json, _render_receipt)


@app.command()
def delete(
    tenant: TenantId,
    yes: Yes = False,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Delete a tenant with everything it holds. Prints what was removed, and the search that proves it."""
    with connect_operator(url, operator_key) as client:
        if not yes:
            client.get(_address(tenant))  # nobody is asked about what is not there
            typer.confirm(f"Delete tenant {tenant} with all its documents and keys?", abort=True, err=True)
        deleted = client.delete(_address(tenant))
    emit({"deleted": tenant, "receipt": deleted}, as_json, lambda value: _render_receipt(value["receipt"]))
    if not as_json:
        say(f"Tenant {tenant} is deleted.")


def _render_new(made: dict[str, Any]) -> None:
    out.print(f"Tenant {made['tenant']['tenant_id']}\nKey    {made['secret']}", markup=False)


def _render_silos(listed: dict[str, Any]) -> None:
    rows = ([each["name"], each["tenants"], each["problem"] or "answers"] for each in listed["items"])
    show(table(("Database", ">Tenants", "State"), rows))


def _render_move(move: dict[str, Any]) -> None:
    say(
        f"{move['source']} to {move['target']}: {move['step']}, {counted(move['rows_copied'], 'row')} copied."
    )
    if move["held_s"] is not None:
        say(f"It was read and not written for {move['held_s']:.1f} s.")
    if move["reason"]:
        say(move["reason"])


def _render_brought(brought: dict[str, Any]) -> None:
    say(
        f"Brought in: {counted(sum(brought['rows'].values()), 'row')}, {counted(brought['originals'], 'original file')}."
    )
    out.print(f"Tenant {brought['tenant_id']}\nKey    {brought['secret']}", markup=False)


def _render_receipt(receipt: dict[str, Any]) -> None:
    originals = receipt["originals"] or {"removed": 0, "left": "unknown"}
    rows = [*sorted(receipt["rows_removed"].items()), ("(original files)", originals["removed"])]
    show(table(("Table", ">Rows removed"), rows))
    left = sum(receipt["rows_left"].values())
    say(
        f"{receipt['tables_searched']} tables were searched afterwards: {counted(left, 'row')} left, original files left:"
        f" {originals['left']}."
    )
    if "rows_found_now" in receipt:
        say(f"Searched again now: {counted(sum(receipt['rows_found_now'].values()), 'row')}.")


def _render_queues(listed: dict[str, Any]) -> None:
    columns = ("Tenant", ">Weight", "Queue", ">Waiting", ">Running", ">Failed", ">Oldest waits")
    rows = (
        [each["tenant"], each["weight"], each["queue"], each["waiting"], each["running"], each["failed"],
         "" if each["oldest_s"] is None else f"{each['oldest_s']:,.0f} s"]
        for each in listed["items"]
    )  # fmt: skip
    show(table(columns, rows))


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [
            each["tenant_id"],
            each["name"],
            each["document_count"],
            each["created_at"],
            each["suspended_at"] or "no",
            each["silo"] or "",
        ]
        for each in listed["items"]
    )
    show(table(("Tenant", "Name", ">Documents", "Created", "Suspended", "Silo"), rows))
