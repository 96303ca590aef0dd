"""Limits of tenants and keys, and what is used of them."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import AS_OPERATOR, AsAdmin, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.kernel import now
from knowlog.kernel.errors import Forbidden, NotFound
from knowlog.tenants import (
    THE_TENANT,
    DayUsed,
    Principal,
    Used,
    get_key,
    get_tenant,
    set_key_limits,
    set_tenant_limits,
    usage_by_day,
    usage_now,
)

router = APIRouter(prefix="/v1", tags=["limits"], route_class=Route, responses=problems())

Amount = Annotated[int | None, Field(ge=0, le=2**53, strict=True)]
Days = Annotated[int, Query(ge=1, le=366, description="So many days back, today included.")]


class KeyLimits(Body):
    """What a key may use, besides what its tenant may. Null or absent: nothing but the tenant's limits."""

    requests_per_minute: Amount = Field(None, description="Requests in a minute.")
    uploads_per_minute: Amount = Field(None, description="Documents uploaded in a minute.")
    upload_bytes_per_day: Amount = Field(None, description="Bytes sent in to be stored in a day (UTC).")
    llm_tokens_per_day: Amount = Field(None, description="Tokens of language models in a day (UTC).")
    money_micros_per_month: Amount = Field(
        None, description="Costs in a month (UTC), in millionths of the operator's currency."
    )


class TenantLimits(KeyLimits):
    """What a tenant may use. Null: no limit. Absent: the installation's default."""

    stored_bytes: Amount = Field(None, description="Bytes of originals stored.")
    documents: Amount = Field(None, description="Documents.")
    embedding_tokens_per_day: Amount = Field(None, description="Tokens embedded in a day (UTC).")


class Limits(BaseModel):
    """Each limit, and how much of it is used now."""

    limits: list[Used]


class Usage(Limits):
    """What a tenant uses: of each limit now, and on each of the last days."""

    at: datetime
    days: list[DayUsed]


@router.get("/usage", response_model=Usage, summary="Show what is used")
async def usage(caller: AsAdmin, app: TheApp, days: Days = 31) -> Response:
    """Show how much of each limit of the tenant is used now, and what was used on each day, the latest first.

    Requests and uploads are counted every five seconds, the rest at once. Needs a key that is not limited to collections.
    """
    if caller.scope.collections is not None:
        raise Forbidden("Your key is limited to some collections; usage is the whole tenant's.")
    return reply(await _usage(app, caller.scope, days))


@router.get(
    "/keys/{key_id}/limits", response_model=Limits, responses=problems(404), summary="Show a key's limits"
)
async def of_key(key_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show what a key may use and has used."""
    await _require_visible(app, caller, key_id)
    return reply({"limits": await _used(app, caller.scope, key_id)})


@router.put(
    "/keys/{key_id}/limits", response_model=Limits, responses=problems(404), summary="Limit what a key uses"
)
async def limit_key(key_id: UUID, body: KeyLimits, caller: AsAdmin, app: TheApp) -> Response:
    """Set all limits of a key, in place of those it had. They hold within two seconds.

    Example: `{"requests_per_minute": 60, "upload_bytes_per_day": 1000000}`.
    """
    await _require_visible(app, caller, key_id)
    async with app.database.transaction(caller.scope) as connection:
        await set_key_limits(connection, caller, key_id, _given(body))
    app.limiter.forget(caller.scope.tenant_id)
    return reply({"limits": await _used(app, caller.scope, key_id)})


@router.get(
    "/tenants/{tenant_id}/limits",
    response_model=Usage,
    dependencies=[AS_OPERATOR],
    responses=problems(404),
    summary="Show a tenant's limits",
)
async def of_tenant(tenant_id: UUID, app: TheApp, days: Days = 31) -> Response:
    """Show what a tenant may use, has used, and used on each day: numbers only."""
    await get_tenant(app.database, tenant_id)
    return reply(await _usage(app, Scope(tenant_id, "operator"), days))


@router.put(
    "/tenants/{tenant_id}/limits",
    response_model=Limits,
    dependencies=[AS_OPERATOR],
    responses=problems(404),
    summary="Set a tenant's limits",
)
async def limit_tenant(tenant_id: UUID, body: TenantLimits, app: TheApp) -> Response:
    """Set all limits of a tenant. Null is no limit; what is absent has the default of the installation. They hold within
    two seconds; what is stored beyond a new limit stays.

    Example: `{"requests_per_minute": 600, "documents": 10000, "stored_bytes": 5000000000}`.
    """
    await set_tenant_limits(app.database, tenant_id, _given(body))
    app.limiter.forget(tenant_id)
    return reply({"limits": await _used(app, Scope(tenant_id, "operator"), THE_TENANT)})


def _given(body: BaseModel) -> Mapping[str, int | None]:
    return body.model_dump(exclude_unset=True)


async def _usage(app: App, scope: Scope, days: int) -> dict[str, Any]:
    await app.limiter.flush()
    async with app.database.transaction(scope) as connection:
        by_day = await usage_by_day(connection, days)
    return {
        "at": now(),
        "limits": await _used(app, scope, THE_TENANT),
        "days": [asdict(each) for each in by_day],
    }


async def _used(app: App, scope: Scope, holder: UUID) -> list[Used]:
    key_id = None if holder == THE_TENANT else holder
    minutes = await app.limiter.in_minute(scope.tenant_id, holder)
    async with app.database.transaction(scope) as connection:
        return await usage_now(
            connection, await app.limiter.allowed(scope.tenant_id, key_id), holder, minutes
        )


async def _require_visible(app: App, caller: Principal, key_id: UUID) -> None:
    """Raise NotFound for a key that is absent, or beyond the limits of a caller that is limited itself."""
    own = caller.scope.collections
    async with app.database.transaction(caller.scope) as connection:
        key = await get_key(connection, key_id)
    if own is not None and (key.collections is None or not own.issuperset(key.collections)):
        raise NotFound("There is no such key.")
