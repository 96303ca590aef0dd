"""Summaries as their askers keep them: asked for, found again, deleted.

A summary is its asker's, and shows only what the asker may see: the database hides it as soon as one of the documents
that it rests on may not be seen any more. One that is made already from exactly the documents that a caller sees, by the
same wish, is not made again.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

import orjson

from knowlog.bus import UNDER_WAY, append_events
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import find_collection, get_document, within
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound
from knowlog.summarizing.model import Content, Made, Summary, Wanted
from knowlog.summarizing.wishes import as_text, profile_of, stored

SQL = load_queries("knowlog.summarizing")
MOST_SUMMARIES = 100_000
MOST_DOCUMENTS = 20_000
"""Documents that one summary can rest on."""


async def ask_summary(
    connection: Connection, scope: Scope, wanted: Wanted, made_with: Mapping[str, Any]
) -> Summary:
    """Ask for a summary. One that the caller has already, or that was made already of just what the caller sees, is
    returned as it is. Raises NotFound for collection and document, Conflict where there is nothing to summarize, or too
    much.
    """
    if wanted.document_id is not None:
        document = await get_document(connection, scope, wanted.document_id)
        if document.collection_id != wanted.collection_id:
            raise NotFound("There is no such document in this collection.")
    made_from = await require_some(connection, wanted)
    profile = profile_of(wanted, made_with)
    mine = await connection.fetchrow(SQL["find_mine"], scope.principal, profile)
    if mine:
        if mine["made_from"] != made_from:
            await _again(connection, scope, mine["summary_id"], wanted.collection_id)
        return await get_summary(connection, scope, mine["summary_id"], scope.principal)
    summary_id = new_id()
    place, subjects = (wanted.collection_id, wanted.document_id), subjects_of(scope)
    kept = stored(wanted), subjects, scope.principal
    if not await connection.fetchval(SQL["copy_summary"], summary_id, profile, made_from, *place, *kept):
        await require_room(connection, scope)
        await insert(connection, summary_id, wanted, profile, subjects, scope.principal)
        await _request(connection, summary_id, wanted.collection_id)
    return await get_summary(connection, scope, summary_id, scope.principal)


async def require_some(connection: Connection, wanted: Wanted) -> str:
    """Return what a summary would be made from. Raises Conflict where that is nothing, or too much."""
    documents, made_from = await seen(connection, wanted)
    if not documents:
        raise Conflict(
            "There is nothing to summarize: no document that you may see there is indexed, within the span of time."
        )
    if documents > MOST_DOCUMENTS and not wanted.topic:
        raise Conflict(
            f"{documents:,} documents are too many for one summary: name a topic or a span of time, or have each document"
            " summarized by itself."
        )
    return made_from


async def seen(connection: Connection, wanted: Wanted) -> tuple[int, str]:
    """How many documents the transaction sees of what is wished, and a digest of them and of their versions."""
    row = await connection.fetchrow(SQL["seen"], *place_of(wanted))
    return row["documents"], row["made_from"] or ""


def place_of(wanted: Wanted) -> tuple[Any, ...]:
    """Where a wish looks, as the queries take it."""
    span = wanted.span
    return (
        wanted.collection_id, wanted.document_id, span.since, span.until, span.field, as_text(span.since),
        as_text(span.until),
    )  # fmt: skip


async def require_room(connection: Connection, scope: Scope) -> None:
    """Raise Conflict where the caller has as many summaries as may be."""
    if await connection.fetchval(SQL["count_mine"], scope.principal) >= MOST_SUMMARIES:
        raise Conflict(f"You have {MOST_SUMMARIES:,} summaries, the most there may be. Delete some.")


async def insert(
    connection: Connection, summary_id: UUID, wanted: Wanted, profile: str, subjects: list[UUID] | None,
    asker: str, batch_id: UUID | None = None,
) -> None:  # fmt: skip
    """Write a summary that is still to be made."""
    await connection.execute(
        SQL["insert_summary"], summary_id, wanted.collection_id, wanted.document_id, batch_id, stored(wanted),
        profile, subjects, asker,
    )  # fmt: skip


async def list_summaries(
    connection: Connection, scope: Scope, asker: str | None, *, collection: str | None = None,
    batch_id: UUID | None = None, before: UUID | None = None, most: int = 50,
) -> list[Summary]:  # fmt: skip
    """List summaries, newest first, without their content; of one asker unless None. Raises NotFound for a collection."""
    of = None if collection is None else await find_collection(connection, scope, collection)
    rows = await connection.fetch(
        SQL["list_summaries"], before, asker, of, batch_id, None, within(scope), most
    )
    return [Summary(**{**row, "content": None}) for row in rows]


async def get_summary(connection: Connection, scope: Scope, summary_id: UUID, asker: str | None) -> Summary:
    """Return a summary of one asker (None: of any), with its content where that still holds. Raises NotFound."""
    row = await connection.fetchrow(
        SQL["list_summaries"], None, asker, None, None, summary_id, within(scope), 1
    )
    if row is None:
        raise NotFound(
            "There is no such summary. `GET /v1/summaries` lists yours, as `knowlog summaries list` does."
        )
    return Summary(**row)


async def renew_summary(connection: Connection, scope: Scope, summary_id: UUID, asker: str | None) -> Summary:
    """Have a summary made again where documents have changed, or where that failed, or something did that it was to be
    made with. Raises NotFound, or Conflict for one that is being made or is as it should be.
    """
    found = await get_summary(connection, scope, summary_id, asker)
    if found.state in UNDER_WAY:
        raise Conflict("The summary is being made already.")
    if found.content is not None and not found.content["degraded"]:
        raise Conflict("The summary is current: nothing that it rests on has changed.")
    await _again(connection, scope, summary_id, found.collection_id)
    return await get_summary(connection, scope, summary_id, asker)


async def delete_summary(
    connection: Connection, scope: Scope, summary_id: UUID, asker: str | None
) -> Summary:
    """Delete a summary; work on it stops. Raises NotFound."""
    found = await get_summary(connection, scope, summary_id, asker)
    await connection.execute(SQL["stop_work"], summary_id)  # while it may be seen, and its job with it
    await connection.execute(SQL["delete_summary"], summary_id)
    return found


async def finish(connection: Connection, summary_id: UUID, made: Made, made_from: str) -> None:
    """Write what was made. Raises Conflict, to be tried again, where a document has changed or gone meanwhile."""
    documents, versions = list(made.sources), list(made.sources.values())
    if await connection.fetchval(SQL["hold_sources"], documents, versions) != len(documents):
        raise ChangedMeanwhile("A document changed while it was summarized. The summary is made again.")
    if await connection.fetchval(SQL["finish_summary"], summary_id, content_json(made.content), made_from):
        await connection.execute(SQL["drop_sources"], summary_id)
        await connection.execute(SQL["insert_sources"], summary_id, documents, versions)


class ChangedMeanwhile(Conflict):
    """What was to be written does not hold any more."""

    permanent = False


def content_json(content: Content) -> dict[str, Any]:
    """A summary's content as it is stored and shown."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(asdict(content), default=str))
    return told


def subjects_of(scope: Scope) -> list[UUID] | None:
    """For whom the caller stands, as it is stored; None: it sees everything."""
    return None if scope.subjects is None else sorted(scope.subjects)


async def _again(connection: Connection, scope: Scope, summary_id: UUID, collection_id: UUID) -> None:
    """Have a summary made anew, at once, by the job that is under way if there is one."""
    await connection.execute(SQL["begin_again"], summary_id, subjects_of(scope))
    if await connection.fetchval(SQL["job_open"], summary_id):
        await connection.execute(SQL["hurry"], summary_id)
    else:
        await _request(connection, summary_id, collection_id)


async def _request(connection: Connection, summary_id: UUID, collection_id: UUID) -> None:
    await append_events(connection, "summary.requested", [(summary_id, {"collection_id": collection_id})])
