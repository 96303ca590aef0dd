"""Domains of a tenant's own, at which its address is, once they are proven."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsAdminOfAll, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.edge import find_proof, where_to_prove
from knowlog.kernel.errors import Conflict
from knowlog.tenants import (
    Domain,
    add_domain,
    clean_domain,
    delete_domain,
    drop_domain,
    get_domain,
    list_domains,
    note_proof,
    record,
    take_domain,
)

router = APIRouter(prefix="/v1/domains", tags=["domains"], route_class=Route, responses=problems())

Name = Annotated[str, Path(description="The domain.", max_length=253)]


class NewDomain(Body):
    """A domain that the tenant says is its own."""

    domain: Annotated[str, Field(min_length=1, max_length=253, examples=["docs.example.com"]), NO_NUL]


class ShownDomain(Body):
    """A domain, and the two places of which one must hold its token."""

    domain: Domain
    prove: dict[str, dict[str, str]]


@router.post(
    "",
    status_code=201,
    response_model=ShownDomain,
    responses={200: {"model": ShownDomain}, **problems()},
    summary="Name a domain",
)
async def create(body: NewDomain, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Say that a domain is the tenant's own. It leads nowhere until a look for its proof finds the token that is
    answered here, in a TXT record or at the domain's /.well-known/knowlog-verification. Saying it twice changes nothing.
    """
    async with app.database.transaction(caller.scope) as connection:
        found, new = await add_domain(connection, caller, body.domain)
        await record(connection, caller.scope, "domain.named", f"domain:{found.domain}")
    return reply(_shown(found), 201 if new else 200, {"Location": f"/v1/domains/{found.domain}"})


@router.get("", response_model=Listing[Domain], summary="List the tenant's domains")
async def listing(caller: AsAdminOfAll, app: TheApp) -> Response:
    """List the tenant's domains, proven or not. There is one page."""
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_domains(connection), "next_cursor": None})


@router.get("/{domain}", response_model=ShownDomain, responses=problems(404), summary="Show one domain")
async def show(domain: Name, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Show one domain, with what its proof needs, and what was found when it was last looked for."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(_shown(await get_domain(connection, domain)))


@router.post(
    "/{domain}/proof",
    response_model=ShownDomain,
    responses=problems(404, 409),
    summary="Look for a domain's proof",
)
async def verify(domain: Name, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Look for the token in DNS and on the domain's web server. Where it is found, the domain leads to the tenant from
    now on; where it is not, `problem` says what was found instead.
    """
    async with app.database.transaction(caller.scope) as connection:
        wanted = await get_domain(connection, domain)
    proven_by, problem = await find_proof(wanted, app.settings.api)
    if proven_by and not await take_domain(app.database, caller.scope.tenant_id, wanted.domain):
        raise Conflict(
            "The domain is proven, and leads to another tenant of this server. Ask the operator to release it."
        )
    async with app.database.transaction(caller.scope) as connection:
        noted = await note_proof(connection, wanted.domain, proven_by, problem)
        await record(
            connection, caller.scope, "domain.checked", f"domain:{noted.domain}", {"proven_by": proven_by}
        )
    return reply(_shown(noted))


@router.delete("/{domain}", status_code=204, responses=problems(404), summary="Give a domain up")
async def delete(domain: Name, caller: AsAdminOfAll, app: TheApp) -> Response:
    """Give a domain up: it leads to the tenant no longer, from the next request on."""
    async with app.database.transaction(caller.scope) as connection:
        await delete_domain(connection, clean_domain(domain))
        await record(connection, caller.scope, "domain.given_up", f"domain:{clean_domain(domain)}")
    await drop_domain(app.database, caller.scope.tenant_id, clean_domain(domain))
    return Response(status_code=204)


def _shown(domain: Domain) -> dict[str, Any]:
    return {"domain": as_json(domain), "prove": where_to_prove(domain)}
