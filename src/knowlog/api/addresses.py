"""By which names tenants are called: for the operator of the installation."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from pydantic import Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.kernel.errors import NotFound
from knowlog.tenants import clean_domain, get_tenant, release_domain, set_slug, slugs_of

router = APIRouter(
    prefix="/v1/tenants",
    tags=["tenants"],
    route_class=Route,
    dependencies=[AS_OPERATOR],
    responses=problems(404),
)


class Slug(Body):
    """A tenant's name in addresses: small letters, digits and hyphens."""

    slug: Annotated[str, Field(min_length=1, max_length=63, examples=["fernhill"]), NO_NUL]


class Addressed(Body):
    """By which slug a tenant is called; null for none."""

    tenant_id: UUID
    slug: str | None


@router.put(
    "/{tenant_id}/slug", response_model=Addressed, responses=problems(409), summary="Set a tenant's slug"
)
async def put_slug(tenant_id: UUID, body: Slug, app: TheApp) -> Response:
    """Call a tenant by this slug, in subdomains, paths and headers, and no longer by the one before."""
    await set_slug(app.database, tenant_id, body.slug)
    return reply({"tenant_id": tenant_id, "slug": body.slug})


@router.get("/{tenant_id}/slug", response_model=Addressed, summary="Show a tenant's slug")
async def get_slug(tenant_id: UUID, app: TheApp) -> Response:
    """Show by which slug a tenant is called."""
    await get_tenant(app.database, tenant_id)
    return reply({"tenant_id": tenant_id, "slug": (await slugs_of(app.database, [tenant_id])).get(tenant_id)})


@router.delete("/{tenant_id}/domains/{domain}", status_code=204, summary="Release a tenant's domain")
async def release(
    tenant_id: UUID, domain: Annotated[str, Path(description="The domain.", max_length=253)], app: TheApp
) -> Response:
    """Let a domain lead to a tenant no longer, so that whoever runs it now can prove it for another."""
    if not await release_domain(app.database, tenant_id, clean_domain(domain)):
        raise NotFound("The domain does not lead to this tenant.")
    return Response(status_code=204)
