"""Sources: topics from which documents come in. The operator makes them, a tenant's admin looks after them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import Field

from knowlog.api.dependencies import AS_OPERATOR, NO_NUL, AsAdmin, Route, Text, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.repeating import Repeats
from knowlog.database import Connection, Scope
from knowlog.edge import Answer
from knowlog.kernel.errors import Conflict
from knowlog.sources import (
    NewSource,
    Source,
    SourceFormat,
    SourceKind,
    SourceState,
    create_source,
    delete_dead_letters_of,
    delete_source,
    get_source,
    list_sources,
    update_source,
)
from knowlog.tenants import get_tenant, operator_principal, record

router = APIRouter(tags=["sources"], route_class=Route, responses=problems())


class WantedSource(Body):
    """A source to create for a tenant."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["Shop"]), NO_NUL]
    kind: SourceKind
    topic: Annotated[str, Field(min_length=1, max_length=249, examples=["shop.articles"]), NO_NUL] = Field(
        description="A stream of Redis, a queue of RabbitMQ, a topic of Kafka. It is not created."
    )
    collection: Annotated[str, Field(min_length=1, max_length=200), NO_NUL]
    format: SourceFormat = "cloudevents"
    mapping: Annotated[dict[Text, Text], Field(max_length=20)] = Field(
        default_factory=dict,
        description='Where members are in a plain message, with dots: `{"external_id": "article.sku"}`.',
    )


class Forgotten(Body):
    """How many dead letters were deleted."""

    deleted: int


class SourceChange(Body):
    """What is to change; the rest stays."""

    state: SourceState | None = None
    collection: Annotated[str, Field(min_length=1, max_length=200), NO_NUL] | None = None


@router.post(
    "/v1/tenants/{tenant_id:uuid}/sources",
    status_code=201,
    response_model=Source,
    responses=problems(404, 409),
    dependencies=[AS_OPERATOR],
    summary="Create a tenant's source",
)
async def create(tenant_id: UUID, body: WantedSource, app: TheApp, repeats: Repeats) -> Response:
    """Create a source: messages of the topic become documents of the collection, from the topic's beginning on. A topic
    has one source, since it may hold anybody's data.

    Example: `{"name": "Shop", "kind": "kafka", "topic": "shop.articles", "collection": "handbook"}`.
    """
    scope = await _scope(app, tenant_id)
    if app.settings.sources.url_of(body.kind) is None:
        raise Conflict(
            f"This installation knows no {body.kind} to read from. Set KNOWLOG_SOURCES_{body.kind.upper()}_URL for its"
            " servers and workers, start them again, then create the source."
        )

    async def act(_: Connection) -> Answer:
        made = await create_source(app.database, scope, NewSource(**body.model_dump()), app.settings.bus)
        return Answer(201, as_json(made), {"Location": f"/v1/sources/{made.source_id}"})

    return await repeats.reply(app, scope, act)


@router.get(
    "/v1/tenants/{tenant_id:uuid}/sources",
    response_model=Listing[Source],
    responses=problems(404),
    dependencies=[AS_OPERATOR],
    summary="List a tenant's sources",
)
async def of_tenant(tenant_id: UUID, app: TheApp) -> Response:
    """List the sources of a tenant by name, for the operator."""
    scope = await _scope(app, tenant_id)
    async with app.database.transaction(scope) as connection:
        return reply({"items": await list_sources(connection, scope), "next_cursor": None})


@router.delete(
    "/v1/tenants/{tenant_id:uuid}/sources/{source_id:uuid}",
    status_code=204,
    responses=problems(404),
    dependencies=[AS_OPERATOR],
    summary="Delete a tenant's source",
)
async def delete(tenant_id: UUID, source_id: UUID, app: TheApp) -> Response:
    """Delete a source with its dead letters. Its documents stay, and so does the topic."""
    left = await delete_source(app.database, await _scope(app, tenant_id), source_id)
    await app.blobs.delete(left)
    return Response(status_code=204)


@router.get("/v1/sources", response_model=Listing[Source], summary="List the tenant's sources")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List sources by name, each with its counts and, in `trouble`, why it is not read at the moment."""
    async with app.database.transaction(caller.scope) as connection:
        return reply({"items": await list_sources(connection, caller.scope), "next_cursor": None})


@router.get(
    "/v1/sources/{source_id:uuid}", response_model=Source, responses=problems(404), summary="Show one source"
)
async def show(source_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show one source."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_source(connection, caller.scope, source_id))


@router.patch(
    "/v1/sources/{source_id:uuid}",
    response_model=Source,
    responses=problems(404),
    summary="Pause or change a source",
)
async def change(source_id: UUID, body: SourceChange, caller: AsAdmin, app: TheApp) -> Response:
    """Pause a source, let it go on where it stopped, or give it another collection. Holds from the next message on.

    Example: `{"state": "paused"}`.
    """
    async with app.database.transaction(caller.scope) as connection:
        changed = await update_source(connection, caller.scope, source_id, body.state, body.collection)
        told = {
            "name": changed.name,
            "state": changed.state,
            "fields": sorted(body.model_dump(exclude_none=True)),
        }
        await record(connection, caller.scope, "source.changed", f"source:{source_id}", told)
    return reply(changed)


@router.delete(
    "/v1/sources/{source_id:uuid}/dead-letters",
    response_model=Forgotten,
    responses=problems(404),
    summary="Delete a source's dead letters",
)
async def forget(source_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Delete all dead letters of a source for good, those that were replayed too. The source stays as it is."""
    deleted = await delete_dead_letters_of(app.database, app.blobs, caller.scope, source_id)
    return reply({"deleted": deleted})


async def _scope(app: Any, tenant_id: UUID) -> Scope:
    await get_tenant(app.database, tenant_id)
    return operator_principal(tenant_id).scope
