"""The log of events: listed, shown, followed; and what events there are, for programs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.responses import StreamingResponse

from knowlog import __version__
from knowlog.api.dependencies import AsReader, Cursor, Limit, Route, TheApp, open_to_all, reply
from knowlog.api.jobs import hidden_from
from knowlog.api.model import Listing, problems
from knowlog.api.paging import page_of
from knowlog.bootstrap import App
from knowlog.bus import (
    CATALOGUE,
    CURSOR_PATTERN,
    Envelope,
    Order,
    Wanted,
    describe_events,
    get_event,
    list_events,
    present,
    published_schema,
)
from knowlog.edge import (
    HEARTBEAT,
    STREAM_HEADERS,
    STREAM_TYPE,
    Slots,
    credential_of,
    decode_cursor,
    event,
    problem_document,
    visit_of,
)
from knowlog.kernel.errors import KnowlogError
from knowlog.tenants import authenticate

_PAPERS = open_to_all("it describes the events of every installation, and none of them")
router = APIRouter(prefix="/v1/events", tags=["events"], route_class=Route, responses=problems())

_LOOK_EVERY_S = 1.0
"""So often a stream looks for new events, and whether its key is still good."""
_AT_ONCE = 100

Name = Annotated[str, WithJsonSchema({"type": "string", "enum": list(CATALOGUE)})]
Types = Annotated[list[Name] | None, Query(alias="type", description="Only these types; may be repeated.")]
Subject = Annotated[UUID | None, Query(description="Only about this document or collection.")]
EventCursor = Annotated[str, WithJsonSchema({"type": "string", "pattern": CURSOR_PATTERN})]
Since = Annotated[
    EventCursor | None,
    Query(description="Only events behind the one with this `cursor`; `beginning` for all."),
]


class CloudEvent(BaseModel):
    """An event as CloudEvents 1.0 has it (structured JSON). `data` follow the schema that `dataschema` names."""

    specversion: str = Field(examples=["1.0"])
    id: UUID = Field(description="Identifies the event; the same in each repetition.")
    source: str
    type: str = Field(examples=["document.indexed"])
    subject: UUID = Field(description="What the event is about: for document.*, the document.")
    time: str
    datacontenttype: str
    dataschema: str = Field(description="urn:knowlog:event:<type>:<version>")
    tenantid: UUID
    cursor: str = Field(description="Opaque; `since` and Last-Event-ID take it, to go on behind the event.")
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Tail:
    """One open stream of events, read with the caller's key each time."""

    app: App
    secret: str

    async def start(self, wanted: Wanted) -> Wanted:
        """Fix where the stream begins: behind `since`, else now. Raises KnowlogError for what cannot be followed."""
        scope = (await authenticate(self.app.database, self.secret)).scope
        async with self.app.database.transaction(scope) as connection:
            begun = replace(wanted, since=wanted.since or await present(connection))
            await list_events(connection, scope, begun, "oldest", 1)
        return begun

    async def following(self, wanted: Wanted) -> Sequence[Envelope]:
        """Read on, in a transaction of its own. Raises KnowlogError, once the key is revoked Unauthenticated."""
        caller = await authenticate(self.app.database, self.secret)
        wanted = replace(wanted, hidden=hidden_from(caller))
        async with self.app.database.transaction(caller.scope) as connection:
            return await list_events(connection, caller.scope, wanted, "oldest", _AT_ONCE)


@router.get("", summary="List what has happened", response_model=Listing[CloudEvent])
async def listing(
    caller: AsReader,
    app: TheApp,
    types: Types = None,
    subject: Subject = None,
    since: Since = None,
    order: Order = "newest",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List events. Oldest first is for following: whoever goes on with `since` set to the last `cursor` misses none.

    A key that is limited to some collections sees the events of these. Those of webhooks and schedules are for admins.
    """
    wanted = _paged(Wanted(types or (), subject, since, hidden=hidden_from(caller)), order, cursor)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_events(connection, caller.scope, wanted, order, limit + 1)
    return page_of(found, limit, lambda each: (str(each.cursor),), lambda each: each.members())


@router.get(
    "/stream",
    summary="Follow events as they happen",
    response_class=Response,
    responses={200: {"content": {STREAM_TYPE: {}}}, **problems(429)},
)
async def stream(
    request: Request,
    caller: AsReader,
    app: TheApp,
    types: Types = None,
    subject: Subject = None,
    since: Since = None,
    last_event_id: Annotated[
        str | None, Header(description="Where a stream broke off: goes before `since`.")
    ] = None,
) -> Response:
    """Follow the log as server-sent events, from now on or from behind `since`: each is named by its type, has its
    `cursor` as id, and holds the envelope. Ends after a while; go on with Last-Event-ID, as browsers do.
    """
    slots: Slots = request.app.state.slots
    slots.check(caller.scope.tenant_id)
    tail = Tail(app, credential_of(request))
    wanted = await tail.start(Wanted(types or (), subject, last_event_id or since))
    pieces = _pieces(tail, wanted, visit_of(request.scope).request_id)
    held = slots.hold(caller.scope.tenant_id, pieces)
    return StreamingResponse(held, headers=STREAM_HEADERS, media_type=STREAM_TYPE)


@router.get(
    "/asyncapi.json",
    dependencies=[_PAPERS],
    summary="Describe every event (AsyncAPI)",
    response_class=Response,
    responses={200: {"content": {"application/json": {}}}},
)
async def asyncapi() -> Response:
    """Describe every event, as an AsyncAPI 3.0 document."""
    return reply(describe_events(__version__))


@router.get(
    "/schemas/{type}/{version}",
    dependencies=[_PAPERS],
    summary="Read an event's JSON Schema",
    response_class=Response,
    responses={200: {"content": {"application/schema+json": {}}}, **problems(404)},
)
async def schema(type: str, version: int) -> Response:  # noqa: A002 - its name in the address
    """Show the JSON Schema of a type's data."""
    answer = reply(published_schema(type, version))
    answer.headers["Content-Type"] = "application/schema+json"
    return answer


@router.get("/{event_id:uuid}", summary="Show one event", response_model=CloudEvent, responses=problems(404))
async def show(event_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show one event."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_event(connection, caller.scope, event_id, hidden_from(caller))
    return reply(found.members())


def _paged(wanted: Wanted, order: Order, cursor: str | None) -> Wanted:
    """Go on where the page before has ended."""
    position = decode_cursor(cursor, str)
    if position is None:
        return wanted
    if order == "newest":
        return replace(wanted, before=position[0])
    return replace(wanted, since=position[0])


async def _pieces(tail: Tail, wanted: Wanted, request_id: str) -> AsyncIterator[bytes]:
    settings = tail.app.settings.api
    ends = monotonic() + settings.stream_limit_s
    beat = monotonic()
    yield f"id: {wanted.since}\n\n".encode()  # no event: where to go on, should it break off before the first
    try:
        while monotonic() < ends:
            found = await tail.following(wanted)
            for each in found:
                yield event(each.type, each.members(), each.cursor)
            if found:
                wanted, beat = replace(wanted, since=found[-1].cursor), monotonic()
            elif monotonic() - beat >= settings.stream_heartbeat_s:
                beat = monotonic()
                yield HEARTBEAT
            if len(found) < _AT_ONCE:
                await asyncio.sleep(min(_LOOK_EVERY_S, settings.stream_heartbeat_s))
    except KnowlogError as error:
        yield event("error", problem_document(error, request_id))
