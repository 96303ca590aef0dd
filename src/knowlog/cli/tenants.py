"""`knowlog tenants`: for the operator of an installation."""

from typing import Annotated, Any

import typer

from knowlog.cli.connection import connect_operator
from knowlog.cli.options import AsJson, Limit, OperatorKey, Url, Yes
from knowlog.cli.output import emit, out, say, table

app = typer.Typer(help="Tenants: list, create, delete. Needs the operator key.", no_args_is_help=True)
TenantId = Annotated[str, typer.Argument(help="The tenant's id.")]


@app.command("list")
def list_tenants(
    limit: Limit = 100, url: Url = None, operator_key: OperatorKey = None, as_json: AsJson = False
) -> None:
    """List tenants."""
    with connect_operator(url, operator_key) as client:
        emit({"items": list(client.pages("/v1/tenants", limit))}, as_json, _render)


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
    emit(
        made,
        as_json,
        lambda value: out.print(f"Tenant {value['tenant']['tenant_id']}\nKey    {value['secret']}"),
    )


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
        client.delete(f"/v1/tenants/{tenant}")
    emit({"deleted": tenant}, as_json, lambda _: say(f"Tenant {tenant} is deleted."))


def _render_new(made: dict[str, Any]) -> None:
    out.print(f"Tenant {made['tenant']['tenant_id']}\nKey    {made['secret']}")


def _render(listed: dict[str, Any]) -> None:
    rows = (
        [each["tenant_id"], each["name"], each["document_count"], each["created_at"]]
        for each in listed["items"]
    )
    out.print(table(("Tenant", "Name", ">Documents", "Created"), rows))
