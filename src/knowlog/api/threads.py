"""Threads: your conversations, with answers and citations. Nobody else reads them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field

from knowlog.answering import Rung
from knowlog.api.answers import AnswerStatement, statement_json
from knowlog.api.dependencies import NO_NUL, AsReader, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.bootstrap import App
from knowlog.database import Connection
from knowlog.edge import Answer, decode_cursor
from knowlog.tenants import Principal, record
from knowlog.threads import (
    Thread,
    Turn,
    as_markdown,
    create_thread,
    delete_thread,
    get_thread,
    list_threads,
    rename_thread,
    turns_of,
)

router = APIRouter(prefix="/v1/threads", tags=["threads"], route_class=Route, responses=problems())

_MARKDOWN = "text/markdown; charset=utf-8"


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must hold a word")
    return text.strip()


Title = Annotated[str, Field(min_length=1, max_length=200), NO_NUL, AfterValidator(_not_blank)]


class NewThread(Body):
    """A conversation to begin."""

    title: Title | None = Field(None, description="Null: the first question is its title.")


class Titled(Body):
    """Another title."""

    title: Title


class StoredTurn(Body):
    """A question with its answer, as far as it may be shown to you today. `turn` counts from 1.

    `withheld` counts statements that rest on a document which was deleted, has another version, or is not for you now.
    """

    turn: int
    question: str
    standalone: str | None
    status: Literal["answered", "not_in_documents"]
    text: str
    statements: list[AnswerStatement]
    withheld: int
    confidence: float
    rung: Rung
    pattern: str
    degraded: list[str]
    notes: list[str]
    asked_at: datetime


class WholeThread(Body):
    """A conversation with all that was asked and answered."""

    thread_id: UUID
    title: str | None
    turn_count: int
    created_at: datetime
    updated_at: datetime
    turns: list[StoredTurn]


@router.post("", status_code=201, response_model=Thread, responses=problems(409), summary="Begin a thread")
async def create(caller: AsReader, app: TheApp, repeats: Repeats, body: NewThread | None = None) -> Response:
    """Begin a conversation; `POST /v1/answers` with its `thread_id` goes on with it. It is yours, a member's or a key's:
    not even an owner of the tenant reads it. It goes when you delete it, with your membership or key, and
    `KNOWLOG_THREADS_KEEP_DAYS` after its last question.
    """
    title = body.title if body else None

    async def act(connection: Connection) -> Answer:
        made = await create_thread(connection, caller.scope, caller.member_id, caller.key_id, title)
        await _record(connection, caller, "created", made.thread_id)
        return Answer(201, as_json(made), {"Location": f"/v1/threads/{made.thread_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Thread], summary="List your own threads")
async def listing(caller: AsReader, app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List your conversations, the one with the newest question first."""
    before: Any = decode_cursor(cursor, datetime, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_threads(connection, caller.scope, before, limit + 1)
    return page_of(found, limit, lambda each: (each.updated_at, each.thread_id))


@router.get(
    "/{thread_id:uuid}",
    response_model=WholeThread,
    responses=problems(404),
    summary="Show one of your threads",
)
async def show(thread_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show a conversation with its answers. Quotes are of documents that are there as they were, and for you, today."""
    return reply(_whole(app, *await _read(app, caller, thread_id)))


@router.get(
    "/{thread_id:uuid}/export",
    response_model=WholeThread,
    responses={
        **problems(404),
        200: {"content": {"text/markdown": {}}, "description": "The conversation, as a file."},
    },
    summary="Export one of your threads",
)
async def export(
    thread_id: UUID,
    caller: AsReader,
    app: TheApp,
    form: Annotated[Literal["markdown", "json"], Query(alias="format", description="Its form.")] = "markdown",
) -> Response:
    """Download a conversation with the quotes that its answers rest on: to read, or for programs."""
    thread, turns = await _read(app, caller, thread_id)
    name = f'attachment; filename="thread-{thread_id}.{"md" if form == "markdown" else "json"}"'
    headers = {"Content-Disposition": name}
    if form == "json":
        return reply(_whole(app, thread, turns), 200, headers)
    return Response(as_markdown(thread, turns), 200, headers, _MARKDOWN)


@router.patch(
    "/{thread_id:uuid}", response_model=Thread, responses=problems(404), summary="Give a thread another title"
)
async def rename(thread_id: UUID, body: Titled, caller: AsReader, app: TheApp) -> Response:
    """Give a conversation another title."""
    async with app.database.transaction(caller.scope) as connection:
        renamed = await rename_thread(connection, caller.scope, thread_id, body.title)
        await _record(connection, caller, "renamed", thread_id)
    return reply(renamed)


@router.delete(
    "/{thread_id:uuid}", status_code=204, responses=problems(404), summary="Delete a thread for good"
)
async def delete(thread_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Delete a conversation with all that was asked and answered."""
    async with app.database.transaction(caller.scope) as connection:
        await delete_thread(connection, caller.scope, thread_id)
        await _record(connection, caller, "deleted", thread_id)
    return Response(status_code=204)


async def _read(app: App, caller: Principal, thread_id: UUID) -> tuple[Thread, list[Turn]]:
    """A thread and its turns, as they are at one moment."""
    async with app.database.transaction(caller.scope) as connection:
        thread = await get_thread(connection, caller.scope, thread_id)
        return thread, await turns_of(connection, caller.scope, thread_id)


def _whole(app: App, thread: Thread, turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        **as_json(thread),
        "turns": [
            {
                "turn": each.turn,
                "question": each.question,
                "standalone": each.standalone,
                "status": each.status,
                "text": each.text,
                "statements": [statement_json(app, statement) for statement in each.statements],
                "withheld": each.withheld,
                "confidence": each.confidence,
                "rung": each.rung,
                "pattern": each.pattern,
                "degraded": each.degraded,
                "notes": each.notes,
                "asked_at": each.asked_at,
            }
            for each in turns
        ],
    }


async def _record(connection: Connection, caller: Principal, done: str, thread_id: UUID) -> None:
    """Say that it was done. What a conversation is about is its owner's alone."""
    await record(connection, caller.scope, f"thread.{done}", f"thread:{thread_id}", {})
