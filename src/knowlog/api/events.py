"""Server-sent events: how a document, or a job, gets on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from knowlog.api.dependencies import AsReader, Route, TheApp
from knowlog.api.jobs import visible_job
from knowlog.api.model import problems
from knowlog.bootstrap import App
from knowlog.database import Connection
from knowlog.documents import get_document
from knowlog.edge import (
    HEARTBEAT,
    STREAM_HEADERS,
    STREAM_TYPE,
    Progress,
    Slots,
    Watcher,
    credential_of,
    event,
    problem_document,
    visit_of,
)
from knowlog.kernel.errors import KnowlogError
from knowlog.tenants import Principal, authenticate

router = APIRouter(prefix="/v1", tags=["events"], route_class=Route, responses=problems(404, 429))

_LOOK_AGAIN_S = 2.0
"""Watchers look by themselves this often, should a report have been missed. A key's revocation is reported too."""

State = tuple[dict[str, Any], bool]
"""What an event says, and whether nothing more will follow."""
Look = Callable[[Connection, Principal], Awaitable[State]]


@dataclass(frozen=True, slots=True)
class Watch:
    """One open stream. It reads with the caller's key each time, so that a revoked key sees nothing more."""

    app: App
    secret: str
    caller: Principal
    subject: UUID
    look: Look

    @property
    def tenant_id(self) -> UUID:
        """Whose stream it is."""
        return self.caller.scope.tenant_id

    async def state(self) -> State:
        """Look once, in a transaction of its own. Raises KnowlogError."""
        principal = await authenticate(self.app.database, self.secret)
        async with self.app.database.transaction(principal.scope) as connection:
            return await self.look(connection, principal)


@router.get(
    "/documents/{document_id}/events",
    response_class=Response,
    responses={200: {"content": {STREAM_TYPE: {}}}},
    summary="Watch a document's state",
)
async def document_events(document_id: UUID, request: Request, caller: AsReader, app: TheApp) -> Response:
    """Watch a document until it is indexed or has failed: one event `state` for each state that is seen, and while a
    long one is being embedded, `progress` with the numbers of its chunks: `{"embedded": 128, "chunks": 400}`.
    """

    async def look(connection: Connection, principal: Principal) -> State:
        document = await get_document(connection, principal.scope, document_id)
        seen = {
            "document_id": document_id,
            "state": document.state,
            "reason": document.reason,
            "attempts": document.attempts,
            "version": document.version,
            "latest": document.latest,
        }
        return seen, document.state in {"indexed", "failed"}

    return await _stream(request, Watch(app, credential_of(request), caller, document_id, look))


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={200: {"content": {STREAM_TYPE: {}}}},
    summary="Watch a job's state",
)
async def job_events(job_id: UUID, request: Request, caller: AsReader, app: TheApp) -> Response:
    """Watch a job until it is done, has failed or was cancelled: one event `state` for each state that is seen, and
    `progress` as of its document.
    """
    async with app.database.transaction(caller.scope) as connection:
        subject = (await visible_job(connection, caller, job_id)).subject

    async def look(connection: Connection, principal: Principal) -> State:
        job = await visible_job(connection, principal, job_id)
        seen = {
            "job_id": job_id,
            "document_id": job.document_id,
            "state": job.state,
            "reason": job.reason,
            "attempts": job.attempts,
        }
        return seen, job.state in {"done", "failed", "cancelled"}

    return await _stream(request, Watch(app, credential_of(request), caller, subject, look))


async def _stream(request: Request, watch: Watch) -> Response:
    """Refuse in the ordinary way what can be refused, then stream."""
    slots: Slots = request.app.state.slots
    slots.check(watch.tenant_id)
    async with watch.app.database.transaction(watch.caller.scope) as connection:
        await watch.look(connection, watch.caller)
    events = _events(watch, request.app.state.progress, visit_of(request.scope).request_id)
    held = slots.hold(watch.tenant_id, events)
    return StreamingResponse(held, headers=STREAM_HEADERS, media_type=STREAM_TYPE)


async def _events(watch: Watch, progress: Progress, request_id: str) -> AsyncIterator[bytes]:
    settings = watch.app.settings.api
    ends = monotonic() + settings.stream_limit_s
    try:
        async with progress.watch(watch.tenant_id, watch.subject, *watch.caller.watched) as watcher:
            async for piece in _changes(watch, watcher, ends, settings.stream_heartbeat_s):
                yield piece
    except KnowlogError as error:
        yield event("error", problem_document(error, request_id))


async def _changes(watch: Watch, watcher: Watcher, ends: float, heartbeat_s: float) -> AsyncIterator[bytes]:
    last, beat = None, monotonic()
    number = 0
    while monotonic() < ends:
        watcher.changed.clear()
        yield b""  # waits until a slow client has taken what was sent: what it gets next is never of long ago
        seen, final = await watch.state()
        if seen != last:
            last, beat, number = seen, monotonic(), number + 1
            yield event("state", seen, number)
        elif monotonic() - beat >= heartbeat_s:
            beat = monotonic()
            yield HEARTBEAT
        if final:
            return
        if watcher.embedded:
            (done, chunks), watcher.embedded = watcher.embedded, None
            beat, number = monotonic(), number + 1
            yield event("progress", {"embedded": done, "chunks": chunks}, number)
        await _until(watcher.changed, min(_LOOK_AGAIN_S, heartbeat_s))


async def _until(changed: asyncio.Event, most_s: float) -> None:
    try:
        async with asyncio.timeout(most_s):
            await changed.wait()
    except TimeoutError:
        return
