"""Deliveries: the jobs by which events reach webhooks.

Each webhook follows its tenant's log; `feed` turns the next events that it wants into jobs of type `delivery.requested`,
at most a window at a time. So an endpoint that is down leaves its events in the log, where they cost nothing, and the
queue stays short. The subject of a delivery is derived from webhook and document: deliveries about one document reach
one endpoint in order, and nothing else waits for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from knowlog.bus.actions import UNDER_WAY, LeaseLost, append_events, complete, fail, retry
from knowlog.bus.envelope import Envelope
from knowlog.bus.log import get_event, whole_up_to
from knowlog.bus.model import Event, JobState
from knowlog.bus.rounds import one_by_one
from knowlog.bus.settings import WebhooksSettings
from knowlog.bus.webhooks import SQL, Sealer, get_webhook, secrets_of, wanted_types
from knowlog.database import Connection, Database, Scope
from knowlog.kernel import now
from knowlog.kernel.errors import Conflict, Invalid, KnowlogError, NotFound

KIND = "delivery.requested"
_LOOKED_AT = 1000
_MOST_AT_ONCE = 100
_CLOCKS_APART = timedelta(minutes=1)
_PATIENCE_S = 0.05
"""So long the feeding of all waits for one tenant that is writing."""


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One event on its way to one webhook, as people watch it. `reason` says why the last attempt failed."""

    delivery_id: UUID
    endpoint_id: UUID
    event_id: UUID
    event_type: str
    state: JobState
    attempts: int
    reason: str | None
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that is needed to send: where to, what, and with which secrets to sign it."""

    url: str
    envelope: Envelope
    secrets: Sequence[str] = field(repr=False)


class WebhookGone(NotFound):
    """The webhook was deleted: what was to be delivered to it is nobody's business any more."""


class Resting(KnowlogError):
    """The endpoint has failed again and again, and is left alone for a while."""

    code, permanent = "resting", False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went. `delivered`, or else `reason`; `gone`: the endpoint wants nothing any more; `wait_s`: it asked
    to be left alone for so long.
    """

    delivered: bool
    reason: str = ""
    gone: bool = False
    wait_s: float = 0


async def feed(database: Database, settings: WebhooksSettings, worker: str) -> int:
    """Request deliveries for webhooks of all tenants that have new events and room. Returns how many there are now."""
    async with database.system() as connection:
        behind = await connection.fetch(SQL["behind"], settings.window, _MOST_AT_ONCE)
    busy: set[UUID] = set()

    async def feed_one(row: Any) -> int:
        if row["tenant_id"] in busy:
            return 0
        async with database.transaction(Scope(row["tenant_id"], f"worker:{worker}")) as connection:
            count = await _feed_one(connection, row["endpoint_id"], settings.window)
        if count is None:
            busy.add(row["tenant_id"])
        return count or 0

    return sum(await one_by_one(behind, feed_one))


async def _feed_one(connection: Connection, endpoint_id: UUID, window: int) -> int | None:
    """Take one webhook further in the log; None when nothing can be read of that yet. One that another process holds, or
    that is disabled, is left alone.
    """
    held = await connection.fetchrow(SQL["hold"], endpoint_id)
    if held is None:
        return 0
    end = await whole_up_to(connection, held["place"], _PATIENCE_S)
    if end == held["place"]:
        return None
    room = window - held["under_way"]
    collections = None if held["collections"] is None else [str(each) for each in held["collections"]]
    ahead = await connection.fetch(
        SQL["ahead"], held["place"], end, wanted_types(held["types"]), collections, _LOOKED_AT
    )
    chosen = [row for row in ahead if row["wanted"]][: max(0, room)]
    looked = ahead if len(chosen) < room else ahead[: ahead.index(chosen[-1]) + 1] if chosen else []
    await request_deliveries(
        connection, endpoint_id, [(e["event_id"], e["type"], e["subject"]) for e in chosen]
    )
    if looked:
        await connection.execute(SQL["move"], endpoint_id, looked[-1]["position"])
    return len(chosen)


async def request_deliveries(
    connection: Connection, endpoint_id: UUID, events: Sequence[tuple[UUID, str, UUID]]
) -> list[UUID]:
    """Ask for events (id, type, subject) to be sent to a webhook. Returns the ids of the deliveries."""
    items = [
        (
            uuid5(endpoint_id, str(subject)),
            {"endpoint_id": endpoint_id, "event_id": event_id, "event_type": kind},
        )
        for event_id, kind, subject in events
    ]
    return await append_events(connection, KIND, items)


async def parcel_of(connection: Connection, scope: Scope, delivery: Event, vault: Sealer) -> Parcel:
    """Read what a delivery is to send. Raises WebhookGone, NotFound for the event, Conflict when the webhook is disabled,
    Resting until later, Unavailable when its secret does not open.
    """
    endpoint_id = UUID(delivery.data["endpoint_id"])
    target = await connection.fetchrow(SQL["target"], endpoint_id)
    if target is None:
        raise WebhookGone("The webhook was deleted.")
    if target["state"] != "active":
        raise Conflict("The webhook is disabled.")
    if target["resting_until"]:
        raise Resting("The endpoint is left alone for a while.", until=target["resting_until"])
    envelope = await get_event(connection, scope, UUID(delivery.data["event_id"]))
    stored = [(target["sealed"], target["secret"]), (target["old_sealed"], target["old_secret"])]
    return Parcel(target["url"], envelope, await secrets_of(vault, connection, endpoint_id, stored))


async def put_off(connection: Connection, worker: str, event: Event, until: datetime) -> None:
    """Hand work back until a moment, or a little later, without counting the attempt. Raises LeaseLost."""
    if not await connection.fetchval(SQL["put_off"], event.event_id, worker, event.attempts, until):
        raise LeaseLost("The lease on this work has passed to another worker.")


async def let_rest(connection: Connection, worker: str, delivery: Event, until: datetime) -> None:
    """Hand a delivery back until its endpoint has had its rest, and put off all others that wait for it, which one by one
    would keep a worker busy. Raises LeaseLost.
    """
    await put_off(connection, worker, delivery, until)
    await connection.execute(SQL["rest"], UUID(delivery.data["endpoint_id"]), until)


async def settle_delivery(
    connection: Connection, worker: str, delivery: Event, outcome: Outcome, settings: WebhooksSettings
) -> bool:
    """Write down how an attempt went. Returns whether it was the last one. Raises LeaseLost."""
    endpoint_id = UUID(delivery.data["endpoint_id"])
    if outcome.delivered:
        if await connection.fetchval(SQL["delivered"], endpoint_id):
            await connection.execute(SQL["hasten"], endpoint_id)
        await complete(connection, worker, [delivery])
        return True
    active = await _count_failure(connection, endpoint_id, outcome, settings)
    last = not active or delivery.attempts >= settings.attempts
    wait_s = None if last else max(outcome.wait_s, settings.wait_s(delivery.attempts))
    await fail(connection, worker, delivery, outcome.reason, wait_s)
    return last


async def _count_failure(
    connection: Connection, endpoint_id: UUID, outcome: Outcome, settings: WebhooksSettings
) -> bool:
    """Note that an endpoint failed; disable its webhook when it did so for too long. Returns whether it is active."""
    first_rest = timedelta(seconds=settings.backoff_s)
    too_long = timedelta(seconds=settings.disable_after_s)
    row = await connection.fetchrow(SQL["failed"], endpoint_id, first_rest, outcome.reason, too_long)
    if row is None or row["state"] != "active":
        return False
    if outcome.gone:
        return not await _disable(
            connection, endpoint_id, "The endpoint answered 410: it wants nothing any more."
        )
    if not row["for_too_long"]:
        if row["resting_until"]:
            await connection.execute(SQL["rest"], endpoint_id, row["resting_until"])
        return True
    since = f"{row['failing_since']:%Y-%m-%d %H:%M} UTC"
    return not await _disable(connection, endpoint_id, f"The endpoint has taken nothing since {since}.")


async def _disable(connection: Connection, endpoint_id: UUID, reason: str) -> bool:
    if not await connection.fetchval(SQL["disable"], endpoint_id, reason):
        return False
    await connection.execute(SQL["end_waiting"], endpoint_id, "failed", f"The webhook is disabled. {reason}")
    await append_events(connection, "webhook.disabled", [(endpoint_id, {"reason": reason})])
    return True


async def list_deliveries(
    connection: Connection, scope: Scope, endpoint_id: UUID, state: JobState | None = None,
    before: UUID | None = None, most: int = 50,
) -> list[WebhookDelivery]:  # fmt: skip
    """List the deliveries of a webhook, newest first, from before the delivery `before`. Raises NotFound."""
    await get_webhook(connection, scope, endpoint_id)
    rows = await connection.fetch(SQL["deliveries"], endpoint_id, state, before, most, None)
    return [WebhookDelivery(**row) for row in rows]


async def get_delivery(
    connection: Connection, scope: Scope, endpoint_id: UUID, delivery_id: UUID
) -> WebhookDelivery:
    """Return one delivery. Raises NotFound."""
    await get_webhook(connection, scope, endpoint_id)
    row = await connection.fetchrow(SQL["deliveries"], endpoint_id, None, None, 1, delivery_id)
    if row is None:
        raise NotFound("There is no such delivery.")
    return WebhookDelivery(**row)


async def try_webhook(connection: Connection, scope: Scope, endpoint_id: UUID) -> WebhookDelivery:
    """Send an event `webhook.tested` to one webhook. Raises NotFound, or Conflict when it is disabled."""
    await _require_active(connection, scope, endpoint_id)
    (event_id,) = await append_events(connection, "webhook.tested", [(endpoint_id, {})])
    (made,) = await request_deliveries(connection, endpoint_id, [(event_id, "webhook.tested", event_id)])
    return await get_delivery(connection, scope, endpoint_id, made)


async def replay_delivery(
    connection: Connection, scope: Scope, endpoint_id: UUID, delivery_id: UUID
) -> WebhookDelivery:
    """Send the event of a delivery once more: the same job when it failed, a new one when it was delivered.

    Raises NotFound, or Conflict when it is under way or the webhook is disabled.
    """
    found = await get_delivery(connection, scope, endpoint_id, delivery_id)
    await _require_active(connection, scope, endpoint_id)
    if found.state in UNDER_WAY:
        raise Conflict("This delivery is under way already.")
    if found.state != "done":
        await retry(connection, delivery_id)
        return await get_delivery(connection, scope, endpoint_id, delivery_id)
    event = await get_event(connection, scope, found.event_id)
    (made,) = await request_deliveries(connection, endpoint_id, [(event.event_id, event.type, event.subject)])
    return await get_delivery(connection, scope, endpoint_id, made)


async def replay_since(connection: Connection, scope: Scope, endpoint_id: UUID, since: datetime) -> None:
    """Send a webhook everything that it wants of what has happened since a moment, delivered before or not.

    Raises NotFound, Conflict when it is disabled, or Invalid for a moment that is still to come.
    """
    await _require_active(connection, scope, endpoint_id)
    if since > now() + _CLOCKS_APART:
        raise Invalid("Nothing has happened since a moment that is still to come. Name one that is past.")
    await connection.execute(SQL["rewind"], endpoint_id, since)
    await connection.execute("select pg_notify('knowlog_work', '')")


async def _require_active(connection: Connection, scope: Scope, endpoint_id: UUID) -> None:
    if (await get_webhook(connection, scope, endpoint_id)).state != "active":
        raise Conflict("The webhook is disabled. Make it active first.")
