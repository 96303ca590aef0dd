"""What is done with threads, each call in a transaction of the caller's.

The database knows them by their owner: the first statement of each call says who is calling, and what is another's is
not there. What documents say is stored beside the version that it was quoted from, and read under the reader's present
rights.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from knowlog.answering import Citation, Statement
from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import within
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound
from knowlog.threads.model import Made, Thread, Turn

MOST_THREADS = 1_000
"""Of one member or key."""
MOST_TURNS = 500
_HISTORY = 6
"""So many questions are looked back."""
_LONGEST_TITLE = 200
_SQL = load_queries("knowlog.threads")
_ABSENT = "You have no such thread. `GET /v1/threads` lists yours, as `knowlog threads list` does."


async def create_thread(
    connection: Connection, scope: Scope, member_id: UUID | None, key_id: UUID | None, title: str | None
) -> Thread:
    """Begin a thread of the caller's, a member or a key. Raises Conflict where there are too many."""
    await _call(connection, scope)
    if await connection.fetchval(_SQL["count"]) >= MOST_THREADS:
        raise Conflict(f"You have {MOST_THREADS:,} threads, the most there may be. Delete one first.")
    key = None if member_id else key_id
    return Thread(**await connection.fetchrow(_SQL["create"], new_id(), member_id, key, title))


async def list_threads(
    connection: Connection, scope: Scope, before: tuple[datetime, UUID] | None = None, most: int = 50
) -> list[Thread]:
    """List the caller's threads, the one with the newest question first, from behind the moment and id `before`."""
    await _call(connection, scope)
    moment, last = before or (None, None)
    return [Thread(**row) for row in await connection.fetch(_SQL["list"], moment, last, most)]


async def get_thread(connection: Connection, scope: Scope, thread_id: UUID) -> Thread:
    """Return one of them. Raises NotFound."""
    await _call(connection, scope)
    return _found(await connection.fetchrow(_SQL["find"], thread_id))


async def rename_thread(connection: Connection, scope: Scope, thread_id: UUID, title: str) -> Thread:
    """Give it another title. Raises NotFound."""
    await _call(connection, scope)
    return _found(await connection.fetchrow(_SQL["rename"], thread_id, title))


async def delete_thread(connection: Connection, scope: Scope, thread_id: UUID) -> None:
    """Delete it with all that was asked and answered. Raises NotFound."""
    await _call(connection, scope)
    if await connection.fetchval(_SQL["delete"], thread_id) is None:
        raise NotFound(_ABSENT)


async def history_of(connection: Connection, scope: Scope, thread_id: UUID) -> tuple[str, ...]:
    """Return the newest questions of a thread that is to be gone on with, the oldest of them first.

    Raises NotFound, and Conflict where no further question has room.
    """
    thread = await get_thread(connection, scope, thread_id)
    if thread.turn_count >= MOST_TURNS:
        raise _full()
    rows = await connection.fetch(_SQL["history"], thread_id, _HISTORY)
    return tuple(row["question"] for row in reversed(rows))


async def add_turn(connection: Connection, scope: Scope, thread_id: UUID, made: Made) -> int:
    """Store a question with its answer. Returns the number of the turn, from 1.

    What rests on a version that is gone meanwhile is left out. Raises NotFound, and Conflict where there is no room.
    """
    await _call(connection, scope)
    title = " ".join(made.question.split())[:_LONGEST_TITLE]
    turn: int | None = await connection.fetchval(_SQL["next_turn"], thread_id, title, MOST_TURNS)
    if turn is None:
        await get_thread(connection, scope, thread_id)
        raise _full()
    answer = made.answer
    await connection.execute(
        _SQL["add_turn"], thread_id, turn, made.question, made.standalone, answer.status, len(answer.statements),
        answer.confidence, answer.rung, made.pattern, list(made.degraded), list(made.notes),
    )  # fmt: skip
    await connection.execute(_SQL["add_citations"], thread_id, turn, list(_citations(answer.statements)))
    await connection.execute(
        _SQL["add_statements"],
        thread_id,
        turn,
        list(_statements(answer.statements, quoted=answer.rung == "extractive")),
    )
    return turn


async def turns_of(connection: Connection, scope: Scope, thread_id: UUID) -> list[Turn]:
    """Return what was asked in a thread and answered, of what the caller may see now. No thread: no turns."""
    await _call(connection, scope)
    quotes: dict[tuple[int, int], list[Any]] = defaultdict(list)
    for row in await connection.fetch(_SQL["citations"], thread_id, within(scope)):
        quotes[row["turn"], row["statement"]].append(row)
    statements: dict[int, list[Statement]] = defaultdict(list)
    for row in await connection.fetch(_SQL["statements"], thread_id):
        found = quotes[row["turn"], row["statement"]]
        if sum(each["citation"] <= row["rests_on"] for each in found) == row["rests_on"]:
            statements[row["turn"]].append(_statement(row, found))
    return [_turn(row, statements[row["turn"]]) for row in await connection.fetch(_SQL["turns"], thread_id)]


async def _call(connection: Connection, scope: Scope) -> None:
    await connection.execute(_SQL["call"], scope.principal)


def _found(row: Any) -> Thread:
    if row is None:
        raise NotFound(_ABSENT)
    return Thread(**row)


def _full() -> Conflict:
    return Conflict(f"This thread has {MOST_TURNS} questions, the most there may be. Begin another.")


def _citations(statements: Sequence[Statement]) -> Iterator[dict[str, Any]]:
    for number, statement in enumerate(statements, start=1):
        for place, each in enumerate(statement.citations, start=1):
            yield {
                "statement": number, "citation": place, "document_id": each.document_id, "version": each.version,
                "start_offset": each.start, "end_offset": each.end, "quote": each.quote, "pages": each.pages,
                "headings": each.headings, "score": each.score, "context": each.context,
                "cells": each.cells,
                "flagged": each.flagged,
            }  # fmt: skip


def _statements(statements: Sequence[Statement], *, quoted: bool) -> Iterator[dict[str, Any]]:
    """A quotation rests on the first place that it is quoted from; what a language model wrote, on all that it names."""
    for number, each in enumerate(statements, start=1):
        if each.citations:
            rests_on = 1 if quoted else len(each.citations)
            yield {
                "statement": number, "text": each.text, "score": each.score, "answers": each.answers,
                "rests_on": rests_on,
            }  # fmt: skip


def _statement(row: Any, quotes: Sequence[Any]) -> Statement:
    citations = tuple(
        Citation(
            each["quote"], each["document_id"], each["version"], each["collection"], each["external_id"],
            each["title"], each["start_offset"], each["end_offset"], tuple(each["pages"]), tuple(each["headings"]),
            each["score"], context=each["context"], cells=each["cells"],
            flagged=each["flagged"],
        )
        for each in quotes
    )  # fmt: skip
    return Statement(row["text"], citations, row["score"], row["answers"])


def _turn(row: Any, statements: Sequence[Statement]) -> Turn:
    return Turn(
        row["turn"], row["question"], row["standalone"], row["status"], tuple(statements),
        row["statement_count"] - len(statements), row["confidence"], row["rung"], row["pattern"],
        tuple(row["degraded"]), tuple(row["notes"]), row["asked_at"],
    )  # fmt: skip
