"""The audit log: who did what, when, from where."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, AsAdmin, Cursor, Limit, Moment, Route, TheApp, reply
from knowlog.api.model import Listing, problems
from knowlog.api.paging import page_of
from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from knowlog.edge import decode_cursor
from knowlog.kernel.errors import Forbidden, NotFound
from knowlog.tenants import (
    OPERATORS_CHAIN,
    Anchor,
    Principal,
    WantedRecords,
    audit_head,
    list_records,
    operator_principal,
)

router = APIRouter(tags=["audit"], route_class=Route, responses=problems())

Order = Literal["newest", "oldest"]
_Named = Annotated[str, Query(max_length=500), NO_NUL]
_Action = Annotated[_Named | None, Query(description="Only this action, such as key.created.")]
_Actor = Annotated[_Named | None, Query(description="Only by this principal, such as key:0199e1b2-...")]
_Subject = Annotated[_Named | None, Query(description="Only what was done to this, such as document:...")]
_Since = Annotated[Moment | None, Query(description="Only at this moment or later.")]
_Silo = Annotated[_Named, Query(description="The chain of this silo; without it, of the home.")]
_Until = Annotated[Moment | None, Query(description="Only before this moment.")]


class AuditRecord(BaseModel):
    """One record. `hash` is the SHA-256 of the rest as canonical JSON (members sorted, no blanks, UTF-8), `previous`
    the hash of the record before.
    """

    sequence: int
    at: str
    action: str
    actor: str = Field(description="Who: `key:`, `member:`, `operator`, `source:`, `retention:`.")
    subject: str | None = Field(description="To what it was done.")
    detail: dict[str, Any]
    address: str | None = Field(description="From where; null for what a worker did.")
    user_agent: str | None
    request_id: str | None
    tenant_id: str
    previous: str
    hash: str


@router.get("/v1/audit", response_model=Listing[AuditRecord], summary="List the audit records")
async def listing(
    caller: AsAdmin, app: TheApp, cursor: Cursor = None, limit: Limit = 50, action: _Action = None,
    actor: _Actor = None, subject: _Subject = None, since: _Since = None, until: _Until = None,
    order: Order = "newest",
) -> Response:  # fmt: skip
    """List who did what in the tenant. With `order=oldest`, from the beginning: then the chain of hashes can be checked,
    as `knowlog audit verify` does.
    """
    wanted = WantedRecords(action, actor, subject, since, until)
    return await _page(app.database, _whole(caller), wanted, cursor, limit, order)


@router.get("/v1/audit/head", response_model=Anchor, summary="Show where the chain ends")
async def head(caller: AsAdmin, app: TheApp) -> Response:
    """Show the newest record's number and hash. Kept elsewhere, they show later that nothing was cut off or rewritten."""
    async with app.database.transaction(_whole(caller)) as connection:
        return reply(await audit_head(connection))


@router.get(
    "/v1/operator/audit",
    response_model=Listing[AuditRecord],
    dependencies=[AS_OPERATOR],
    summary="List the operator's audit records",
)
async def operators_listing(
    app: TheApp, cursor: Cursor = None, limit: Limit = 50, action: _Action = None, actor: _Actor = None,
    subject: _Subject = None, since: _Since = None, until: _Until = None, order: Order = "newest", silo: _Silo = "",
) -> Response:  # fmt: skip
    """List what the operator did to tenants. This chain is the installation's own and outlives the tenants. Each silo has
    one of what was done to the tenants there.
    """
    wanted = WantedRecords(action, actor, subject, since, until)
    place = await _silo(app, silo)
    return await _page(place, operator_principal(OPERATORS_CHAIN).scope, wanted, cursor, limit, order)


@router.get(
    "/v1/operator/audit/head",
    response_model=Anchor,
    dependencies=[AS_OPERATOR],
    summary="Show where the operator's chain ends",
)
async def operators_head(app: TheApp, silo: _Silo = "") -> Response:
    """Show the newest record's number and hash of the operator's own chain."""
    place = await _silo(app, silo)
    async with place.transaction(operator_principal(OPERATORS_CHAIN).scope) as connection:
        return reply(await audit_head(connection))


async def _silo(app: App, name: str) -> Database:
    """The home, or a silo by its name. Raises NotFound, Unavailable."""
    if name and name not in app.database.silos:
        raise NotFound("There is no such silo. `GET /v1/silos` lists them.")
    return await app.database.silo(name)


async def _page(
    database: Database, scope: Scope, wanted: WantedRecords, cursor: str | None, limit: int, order: Order
) -> Response:
    behind: Any = decode_cursor(cursor, int)
    async with database.transaction(scope) as connection:
        found = await list_records(connection, wanted, behind and behind[0], limit + 1, order)
    return page_of(found, limit, lambda each: (each["sequence"],))


def _whole(caller: Principal) -> Scope:
    """The scope of a caller to whom the whole tenant is open. Raises Forbidden."""
    if caller.scope.collections is not None:
        raise Forbidden(
            "The audit log speaks of the whole tenant, and your key is limited to some collections. Use one that is not."
        )
    return caller.scope
