"""The life of a tenant: suspended, exported, and what is left of one that was deleted."""

from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.responses import StreamingResponse

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, AsOwner, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.archives import write_archive
from knowlog.bootstrap import App
from knowlog.edge import Leave, Slots, credential_of, pass_while, visit_of
from knowlog.kernel.errors import Forbidden
from knowlog.tenants import (
    Anchor,
    Principal,
    Tenant,
    authenticate,
    get_tenant,
    get_tenant_receipt,
    operator_principal,
    record,
    record_also_for_operator,
    resume_tenant,
    rows_of_tenant,
    suspend_tenant,
)

router = APIRouter(prefix="/v1", tags=["tenants"], route_class=Route, responses=problems())

_ARCHIVE_TYPE = "application/gzip"
_ARCHIVE: Any = {
    200: {
        "content": {_ARCHIVE_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        "description": "The archive.",
    }
}


class Suspension(Body):
    """Why a tenant is suspended: for the operator's own lists."""

    because: Annotated[str, Field(max_length=500, examples=["unpaid since March"]), NO_NUL] = ""


class Originals(BaseModel):
    """Original files of a deleted tenant: how many were removed, how many a search then found."""

    removed: int
    left: int


class TenantReceipt(BaseModel):
    """What deleting a tenant removed, and the search that proves it. `originals` is null until they were removed."""

    tenant_id: UUID
    name: str
    created_at: str
    deleted_at: str
    rows_removed: dict[str, int]
    tables_searched: int
    rows_left: dict[str, int]
    audit_head: Anchor | None
    originals: Originals | None = None


class SearchedReceipt(TenantReceipt):
    """A receipt, and what the same search finds at this moment."""

    rows_found_now: dict[str, int]


@router.put(
    "/tenants/{tenant_id:uuid}/suspension",
    response_model=Tenant,
    responses=problems(404),
    dependencies=[AS_OPERATOR],
    summary="Suspend a tenant",
)
async def suspend(tenant_id: UUID, body: Suspension, app: TheApp) -> Response:
    """Refuse all calls of a tenant from now on, and let workers leave its jobs. Nothing of it is lost.

    Example: `{"because": "unpaid since March"}`.
    """
    return reply(await suspend_tenant(app.database, tenant_id, body.because))


@router.delete(
    "/tenants/{tenant_id:uuid}/suspension",
    response_model=Tenant,
    responses=problems(404),
    dependencies=[AS_OPERATOR],
    summary="Let a tenant go on",
)
async def resume(tenant_id: UUID, app: TheApp) -> Response:
    """Let a tenant go on where it stood, with all the jobs that waited."""
    return reply(await resume_tenant(app.database, tenant_id))


@router.get(
    "/tenants/{tenant_id:uuid}/receipt",
    response_model=SearchedReceipt,
    responses=problems(404),
    dependencies=[AS_OPERATOR],
    summary="Show a deleted tenant's receipt",
)
async def receipt(tenant_id: UUID, app: TheApp) -> Response:
    """Show what deleting a tenant removed, and search every table for it once more."""
    kept = await get_tenant_receipt(app.database, tenant_id)
    found = await rows_of_tenant(app.database, tenant_id)
    return reply({"originals": None, **kept, "rows_found_now": found})


@router.get(
    "/tenants/{tenant_id:uuid}/export",
    response_class=Response,
    responses={**_ARCHIVE, **problems(404, 429)},
    dependencies=[AS_OPERATOR],
    summary="Export a tenant's archive",
)
async def export(tenant_id: UUID, request: Request, app: TheApp) -> Response:
    """Download everything that a tenant holds as one archive, also of one that is suspended."""
    scope = operator_principal(tenant_id).scope
    tenant = await get_tenant(app.database, tenant_id)
    async with app.database.transaction(scope) as connection:
        await record_also_for_operator(connection, scope, "tenant.exported", f"tenant:{tenant_id}", {})
    return _download(request, tenant, _archive(app, tenant))


@router.get(
    "/export",
    response_class=Response,
    responses={**_ARCHIVE, **problems(429)},
    summary="Export your tenant's archive",
)
async def export_own(request: Request, caller: AsOwner, app: TheApp) -> Response:
    """Download everything that your tenant holds as one archive: for owners, whose key is not limited."""
    scope = _whole(caller)
    tenant = await get_tenant(app.database, scope.tenant_id)
    async with app.database.transaction(scope) as connection:
        await record(connection, scope, "tenant.exported", f"tenant:{scope.tenant_id}")

    async def look() -> None:
        found = await authenticate(app.database, credential_of(request))
        found.require("owner")
        _whole(found)

    pieces = pass_while(Leave(look), visit_of(request.scope), _archive(app, tenant))
    return _download(request, tenant, pieces)


def _archive(app: App, tenant: Tenant) -> AsyncIterator[bytes]:
    pieces: AsyncIterator[bytes] = write_archive(
        app.database, app.blobs, operator_principal(tenant.tenant_id).scope, tenant
    )
    return pieces


def _download(request: Request, tenant: Tenant, pieces: AsyncIterator[bytes]) -> Response:
    """Stream an archive. It holds a connection while it reads rows: so it takes one of the tenant's event streams."""
    slots: Slots = request.app.state.slots
    slots.check(tenant.tenant_id)
    headers = {"Content-Disposition": f'attachment; filename="tenant-{tenant.tenant_id}.tar.gz"'}
    return StreamingResponse(slots.hold(tenant.tenant_id, pieces), headers=headers, media_type=_ARCHIVE_TYPE)


def _whole(caller: Principal) -> Any:
    if caller.scope.collections is not None:
        raise Forbidden("An archive holds the whole tenant, and your key is limited to some collections.")
    return caller.scope
