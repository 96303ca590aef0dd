"""`knowlog tenants`: for the operator of an installation."""

from typing import Annotated, Any
from urllib.parse import quote

import typer

from knowlog.cli.connection import connect_operator
from knowlog.cli.keys import Role
from knowlog.cli.options import AsJson, Limit, OperatorKey, Url, Yes
from knowlog.cli.output import emit, emit_list, out, say, show, table
from knowlog.cli.values import an_id

app = typer.Typer(
    help="Tenants: list, create, key, slug, release, weight, queues, delete. Needs the operator key.",
    no_args_is_help=True,
)
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
    wanted = {"name": name, "role": role, **({"expires_at": expires} if expires else {})}
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
def queues(url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False) -> None:
    """List how much work waits, runs and has failed, by tenant and queue."""
    with connect_operator(url, operator_key) as client:
        emit(client.get("/v1/queues"), as_json, _render_queues)


@app.command()
def delete(
    tenant: TenantId,
    yes: Yes = False,
    url: Url = None,
    operator_key: OperatorKey = None,
    as_json: AsJson = False,
) -> None:
    """Delete a tenant with everything it holds."""
    if not yes:
        typer.confirm(f"Delete tenant {tenant} with all its documents and keys?", abort=True, err=True)
    with connect_operator(url, operator_key) as client:
        client.delete(_address(tenant))
    emit({"deleted": tenant}, as_json, lambda _: say(f"Tenant {tenant} is deleted."))


def _render_new(made: dict[str, Any]) -> None:
    out.print(f"Tenant {made['tenant']['tenant_id']}\nKey    {made['secret']}", markup=False)


def _render_queues(listed: dict[str, Any]) -> None:
    columns = ("Tenant", ">Weight", "Queue", ">Waiting", ">Running", ">Failed", ">Oldest waits")
    rows = (
        [each["tenant"], each["weight"], each["queue"], each["waiting"], each["running"], each["failed"],
         "" if each["oldest_s"] is None else f"{each['oldest_s']:,.0f} s"]
        for each in listed["items"]
    )  # fmt: skip
    show(table(columns, rows))


def _address(tenant: str) -> str:
    return f"/v1/tenants/{an_id(tenant, 'a tenant', 'knowlog tenants list')}"


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["tenant_id"], each["name"], each["document_count"], each["created_at"]]
        for each in listed["items"]
    )
    show(table(("Tenant", "Name", ">Documents", "Created"), rows))
