"""Webhooks: where the tenant's events are sent."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field

from knowlog.api.dependencies import (
    NO_NUL,
    AsAdmin,
    Cursor,
    IdempotencyKey,
    Limit,
    Moment,
    Route,
    Text,
    TheApp,
    as_json,
    reply,
    reply_once,
)
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.bootstrap import App
from knowlog.bus import (
    EVERYTHING,
    JobState,
    Webhook,
    WebhookDelivery,
    WebhookState,
    Wish,
    create_webhook,
    delete_webhook,
    get_delivery,
    get_webhook,
    list_deliveries,
    list_webhooks,
    replay_delivery,
    replay_since,
    rotate_secret,
    try_webhook,
    update_webhook,
)
from knowlog.database import Connection
from knowlog.documents import resolve_collections
from knowlog.edge import (
    Answer,
    checked_address,
    decode_cursor,
    fingerprint,
    once,
    parse_url,
    reach_of_webhooks,
)
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=Route, responses=problems())

Address = Annotated[
    str, Field(min_length=1, max_length=2000, examples=["https://example.com/knowlog"]), NO_NUL
]
Described = Annotated[str, Field(max_length=200), NO_NUL]
Types = Annotated[list[Text], Field(max_length=100, description="Types of events, or `*` for all.")]


class NewWebhook(Body):
    """A webhook to create. It gets what happens from then on."""

    url: Address
    description: Described = ""
    types: Types = Field(default_factory=lambda: [EVERYTHING])
    collections: Annotated[list[Text] | None, Field(max_length=1000)] = Field(
        None, description="Only events of these collections, by name or id. Null: all."
    )


class WebhookChange(Body):
    """What is to change; the rest stays."""

    url: Address | None = None
    description: Described | None = None
    types: Types | None = None
    state: WebhookState | None = None


class Replay(Body):
    """From when on events are sent once more."""

    since: Moment


class CreatedWebhook(Body):
    """A webhook with a new secret, which is shown this once; it is null when a request is repeated."""

    webhook: Webhook
    secret: str | None


@router.post(
    "",
    status_code=201,
    response_model=CreatedWebhook,
    responses=problems(404, 409),
    summary="Create a webhook",
)
async def create(
    body: NewWebhook, request: Request, caller: AsAdmin, app: TheApp, idempotency_key: IdempotencyKey = None
) -> Response:
    """Create a webhook. Keep the secret: deliveries are signed with it, and it cannot be read again.

    Example: `{"url": "https://example.com/knowlog", "types": ["document.indexed"]}`.
    """
    await _check_reach(app, body.url)
    asked = fingerprint("create webhook", await request.body())
    async with app.database.transaction(caller.scope) as connection:

        async def act() -> Answer:
            named = body.collections
            found = None if named is None else await resolve_collections(connection, caller.scope, named)
            ids = None if found is None else [each.collection_id for each in found]
            wish = Wish(body.url, body.description, body.types)
            made, secret = await create_webhook(
                connection, caller.scope, wish, ids, app.settings.webhooks, app.vault
            )
            await _record(connection, caller, "created", made.endpoint_id, **_told(made))
            location = {"Location": f"/v1/webhooks/{made.endpoint_id}"}
            return Answer(201, {"webhook": as_json(made), "secret": None}, location, {"secret": secret})

        answer = await once(connection, caller.scope, idempotency_key, asked, act)
    return reply_once(answer)


@router.get("", response_model=Listing[Webhook], summary="List the tenant's webhooks")
async def listing(caller: AsAdmin, app: TheApp) -> Response:
    """List webhooks, oldest first. A limited key sees those within its own limits."""
    async with app.database.transaction(caller.scope) as connection:
        found = await list_webhooks(connection, caller.scope)
    return reply({"items": found, "next_cursor": None})


@router.get(
    "/{endpoint_id:uuid}", response_model=Webhook, responses=problems(404), summary="Show one webhook"
)
async def show(endpoint_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show one webhook, without its secret."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_webhook(connection, caller.scope, endpoint_id))


@router.patch(
    "/{endpoint_id:uuid}", response_model=Webhook, responses=problems(404), summary="Change a webhook"
)
async def change(endpoint_id: UUID, body: WebhookChange, caller: AsAdmin, app: TheApp) -> Response:
    """Change a webhook, disable it, or make it active again: then it gets what happens from now on, and what it missed
    can be replayed.
    """
    if body.url is not None:
        await _check_reach(app, body.url)
    wish = Wish(body.url, body.description, body.types, body.state)
    async with app.database.transaction(caller.scope) as connection:
        changed = await update_webhook(connection, caller.scope, endpoint_id, wish)
        fields = sorted(body.model_dump(exclude_none=True))
        await _record(connection, caller, "changed", endpoint_id, fields=fields, **_told(changed))
    return reply(changed)


@router.delete("/{endpoint_id:uuid}", status_code=204, responses=problems(404), summary="Delete a webhook")
async def delete(endpoint_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a webhook. What was still to be delivered is cancelled."""
    async with app.database.transaction(caller.scope) as connection:
        await delete_webhook(connection, caller.scope, endpoint_id)
        await _record(connection, caller, "deleted", endpoint_id)
    return Response(status_code=204)


@router.post(
    "/{endpoint_id:uuid}:rotate",
    response_model=CreatedWebhook,
    responses=problems(404),
    summary="Give a webhook a new secret",
)
async def rotate(endpoint_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Give a webhook a new secret. For 24 hours deliveries carry a signature by each."""
    async with app.database.transaction(caller.scope) as connection:
        webhook, secret = await rotate_secret(connection, caller.scope, endpoint_id, app.vault)
        await _record(connection, caller, "rotated", endpoint_id)
    return reply({"webhook": webhook, "secret": secret})


@router.post(
    "/{endpoint_id:uuid}:test",
    status_code=202,
    response_model=WebhookDelivery,
    responses=problems(404, 409),
    summary="Send a test event",
)
async def test(endpoint_id: UUID, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Send an event `webhook.tested` to this webhook alone. The delivery tells how that went."""

    async def act(connection: Connection) -> Answer:
        begun = await try_webhook(connection, caller.scope, endpoint_id)
        await _record(connection, caller, "tested", endpoint_id)
        return _begun(begun)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    "/{endpoint_id:uuid}:replay",
    status_code=202,
    response_model=Webhook,
    responses=problems(404, 409),
    summary="Replay events since a moment",
)
async def replay(endpoint_id: UUID, body: Replay, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Send again everything that the webhook wants of what has happened since a moment, delivered before or not."""

    async def act(connection: Connection) -> Answer:
        await replay_since(connection, caller.scope, endpoint_id, body.since)
        await _record(connection, caller, "replayed", endpoint_id, since=body.since)
        return Answer(202, as_json(await get_webhook(connection, caller.scope, endpoint_id)))

    return await repeats.reply(app, caller.scope, act)


@router.get(
    "/{endpoint_id:uuid}/deliveries",
    response_model=Listing[WebhookDelivery],
    responses=problems(404),
    summary="List the deliveries of a webhook",
)
async def deliveries(
    endpoint_id: UUID,
    caller: AsAdmin,
    app: TheApp,
    state: JobState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List deliveries, newest first. `reason` says why the last attempt failed."""
    before: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_deliveries(
            connection, caller.scope, endpoint_id, state, before and before[0], limit + 1
        )
    return page_of(found, limit, lambda each: (each.delivery_id,))


@router.get(
    "/{endpoint_id:uuid}/deliveries/{delivery_id:uuid}",
    response_model=WebhookDelivery,
    responses=problems(404),
    summary="Show one delivery",
)
async def delivery(endpoint_id: UUID, delivery_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show one delivery."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_delivery(connection, caller.scope, endpoint_id, delivery_id))


@router.post(
    "/{endpoint_id:uuid}/deliveries/{delivery_id:uuid}:replay",
    status_code=202,
    response_model=WebhookDelivery,
    responses=problems(404, 409),
    summary="Deliver once more",
)
async def again(
    endpoint_id: UUID, delivery_id: UUID, caller: AsAdmin, app: TheApp, repeats: Repeats
) -> Response:
    """Send one event once more. Its id, and so the header webhook-id, is the same."""

    async def act(connection: Connection) -> Answer:
        begun = await replay_delivery(connection, caller.scope, endpoint_id, delivery_id)
        await _record(connection, caller, "redelivered", endpoint_id, delivery_id=delivery_id)
        return _begun(begun)

    return await repeats.reply(app, caller.scope, act)


async def _record(
    connection: Connection, caller: Principal, done: str, endpoint_id: UUID, **detail: Any
) -> None:
    await record(connection, caller.scope, f"webhook.{done}", f"webhook:{endpoint_id}", detail)


def _told(webhook: Webhook) -> dict[str, Any]:
    """What the audit log says of a webhook: of its address the host alone, since the rest may hold a secret."""
    return {"host": parse_url(webhook.url).host, "types": webhook.types, "state": webhook.state}


def _begun(made: WebhookDelivery) -> Answer:
    place = f"/v1/webhooks/{made.endpoint_id}/deliveries/{made.delivery_id}"
    return Answer(202, as_json(made), {"Location": place})


async def _check_reach(app: App, url: str) -> None:
    """Refuse at once what no delivery would reach; each delivery checks again. Raises Invalid."""
    settings = app.settings.webhooks
    await checked_address(parse_url(url), reach_of_webhooks(settings.ports, settings.private_hosts))
