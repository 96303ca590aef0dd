"""Dead letters: messages of sources that could not be taken."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from knowlog.api.dependencies import AsAdmin, Cursor, Limit, Route, TheApp, reply
from knowlog.api.model import Listing, problems
from knowlog.api.paging import page_of
from knowlog.edge import decode_cursor
from knowlog.sources import (
    DeadBody,
    DeadLetter,
    dead_body,
    delete_dead_letter,
    get_dead_letter,
    list_dead_letters,
)

router = APIRouter(prefix="/v1/dead-letters", tags=["sources"], route_class=Route, responses=problems())


class WholeDeadLetter(BaseModel):
    """A dead letter with its body. Both members of the content are null where the body is withheld."""

    dead_letter: DeadLetter
    content: DeadBody


@router.get("", response_model=Listing[DeadLetter], summary="List dead letters")
async def listing(
    caller: AsAdmin,
    app: TheApp,
    source: Annotated[UUID | None, Query(description="Only those of one source.")] = None,
    replayed: Annotated[bool | None, Query(description="Only those that were replayed, or were not.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List dead letters, newest first. `cause` says what is wrong with each."""
    before: Any = decode_cursor(cursor, datetime, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_dead_letters(
            connection, caller.scope, source_id=source, replayed=replayed, before=before, most=limit + 1
        )
    return page_of(found, limit, lambda each: (each.received_at, each.dead_letter_id))


@router.get(
    "/{dead_letter_id:uuid}",
    response_model=WholeDeadLetter,
    responses=problems(404),
    summary="Show one dead letter",
)
async def show(dead_letter_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Show a dead letter with its body, as text or in base64. A body that speaks of another tenant is withheld."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_dead_letter(connection, caller.scope, dead_letter_id)
        content = await dead_body(connection, app.blobs, caller.scope, dead_letter_id)
    return reply({"dead_letter": found, "content": content})


@router.post(
    "/{dead_letter_id:uuid}:replay",
    response_model=DeadLetter,
    responses=problems(404, 409),
    summary="Take a dead letter in",
)
async def replay(dead_letter_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Take a dead letter in as its source is now, after what was wrong is mended. What is still wrong is said (422).

    It may be older than what has come since: a document gets the content of the message that is replayed.
    """
    await app.inbox.replay(caller.scope, dead_letter_id)
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_dead_letter(connection, caller.scope, dead_letter_id))


@router.delete(
    "/{dead_letter_id:uuid}", status_code=204, responses=problems(404), summary="Delete a dead letter"
)
async def delete(dead_letter_id: UUID, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a dead letter for good."""
    await delete_dead_letter(app.database, app.blobs, caller.scope, dead_letter_id)
    return Response(status_code=204)
