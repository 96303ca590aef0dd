"""The jobs of summaries: one summary, and a batch of them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.bus import Event, LeaseLost, append_events, complete, notify_progress, require_ours
from knowlog.database import Connection, Scope
from knowlog.kernel import new_id
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.wording import counted
from knowlog.summarizing.digests import documents_seen
from knowlog.summarizing.keeping import SQL, finish, insert, seen
from knowlog.summarizing.making import Means, make
from knowlog.summarizing.model import Span, Wanted
from knowlog.summarizing.wishes import loaded, profile_of

_SLICE_S = 300.0
"""After so long a batch takes its place at the end of the queue again, so that others have their turn."""
_PAGE = 20

Counted = Callable[[str], object]
"""Hears of each summary: the rung on which it stands."""


class Summarizer:
    """Handles `summary.requested`. A summary that is current already is left as it is."""

    def __init__(self, means: Means, counted: Counted = lambda _: None) -> None:
        self._means = means
        self._counted = counted

    async def summarize(self, worker: str, events: Sequence[Event]) -> None:
        """Make what each event asks for, and write it with the job's end in one transaction."""
        for event in events:
            await self._summarize(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _summarize(self, worker: str, event: Event, scope: Scope) -> None:
        database = self._means.database
        async with database.transaction(scope) as connection:
            row = await connection.fetchrow(SQL["work_on"], event.subject)
        if row is None:
            await self._end(worker, event, scope)
            return
        wanted, asker = loaded(row["wanted"]), _asker(event, row)
        async with database.transaction(asker) as connection:
            _, made_from = await seen(connection, wanted)
        if row["made_at"] is not None and row["made_from"] == made_from:
            await self._end(worker, event, scope)
            return
        made = await make(self._means, asker, wanted)
        async with database.transaction(scope) as connection:
            await complete(connection, worker, [event])
            await finish(connection, event.subject, made, made_from)
            await notify_progress(connection, scope.tenant_id, event.subject)
        self._counted(made.content.rung)

    async def _end(self, worker: str, event: Event, scope: Scope) -> None:
        with contextlib.suppress(LeaseLost):
            async with self._means.database.transaction(scope) as connection:
                await complete(connection, worker, [event])


@dataclass(slots=True)
class _Course:
    """A batch under way."""

    worker: str
    event: Event
    scope: Scope
    asker: Scope
    row: Any
    wanted: Wanted
    done: int
    tokens: int

    def why_stop(self) -> str | None:
        """Why the batch may not go on, in a sentence."""
        most_documents, most_tokens = self.row["most_documents"], self.row["most_tokens"]
        if most_documents is not None and self.done >= most_documents:
            return (
                f"The budget of {counted(most_documents, 'document')} is used up. Resume the batch with more."
            )
        if most_tokens is not None and self.tokens >= most_tokens:
            return f"The budget of {counted(most_tokens, 'token')} is used up. Resume the batch with more."
        return None


class Batcher:
    """Handles `summary_batch.requested`: one document after the other, each written at once. Whoever goes on with a batch
    that was cut off goes on behind the last document.
    """

    def __init__(self, means: Means, counted: Counted = lambda _: None) -> None:
        self._means = means
        self._counted = counted

    async def run(self, worker: str, events: Sequence[Event]) -> None:
        """Go on with the batches that the events ask for."""
        for event in events:
            await self._run(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _run(self, worker: str, event: Event, scope: Scope) -> None:
        async with self._means.database.transaction(scope) as connection:
            row = await connection.fetchrow(SQL["batch_work"], event.subject)
            if row is None:
                await complete(connection, worker, [event])
                return
        course = _Course(
            worker,
            event,
            scope,
            _asker(event, row),
            row,
            loaded(row["wanted"]),
            row["done"],
            row["llm_tokens"],
        )
        until, after = monotonic() + _SLICE_S, row["after_document"]
        while page := await self._page(course, after):
            for source in page:
                if (why := course.why_stop()) or monotonic() > until:
                    await self._leave(course, why)
                    return
                await self._one(course, source.document_id)
                after = source.document_id
        async with self._means.database.transaction(scope) as connection:
            await complete(connection, worker, [event])
            await connection.execute(SQL["end_batch"], event.subject, None)
            await notify_progress(connection, scope.tenant_id, event.subject)

    async def _page(self, course: _Course, after: UUID | None) -> Sequence[Any]:
        async with self._means.database.transaction(course.asker) as connection:
            return await documents_seen(connection, course.wanted, after, _PAGE)

    async def _leave(self, course: _Course, why: str | None) -> None:
        """Stop for a reason, or go on later."""
        batch_id, data = course.event.subject, {"collection_id": course.wanted.collection_id}
        async with self._means.database.transaction(course.scope) as connection:
            await complete(connection, course.worker, [course.event])
            if why:
                await connection.execute(SQL["end_batch"], batch_id, why)
            else:
                await append_events(connection, "summary_batch.requested", [(batch_id, data)])
            await notify_progress(connection, course.scope.tenant_id, batch_id)

    async def _one(self, course: _Course, document_id: UUID) -> None:
        """Make the summary of one document, unless the asker has it. One that cannot be made is counted and passed by."""
        wanted = replace(course.wanted, document_id=document_id, span=Span())
        writers = await self._means.writers(course.asker, wanted.mode)
        profile = profile_of(wanted, self._means.made_with(wanted, writers))
        async with self._means.database.transaction(course.asker) as connection:
            mine = await connection.fetchrow(SQL["find_mine"], course.asker.principal, profile)
            _, made_from = await seen(connection, wanted)
        if mine and mine["made_from"] == made_from and not mine["degraded"]:
            await self._note(course, document_id, reused=1)
            return
        try:
            made = await make(self._means, course.asker, wanted)
        except KnowlogError as error:
            if not error.permanent:
                raise
            await self._note(course, document_id, failed=1)
            return
        async with self._writing(course) as connection:
            summary_id = mine["summary_id"] if mine else new_id()
            if not mine:
                subjects = course.row["subjects"]
                await insert(
                    connection,
                    summary_id,
                    wanted,
                    profile,
                    subjects,
                    course.asker.principal,
                    course.event.subject,
                )
            await finish(connection, summary_id, made, made_from)
            await self._count(connection, course, document_id, tokens=made.content.llm_tokens)
        course.done, course.tokens = course.done + 1, course.tokens + made.content.llm_tokens
        self._counted(made.content.rung)

    async def _note(self, course: _Course, document_id: UUID, reused: int = 0, failed: int = 0) -> None:
        async with self._writing(course) as connection:
            await self._count(connection, course, document_id, reused, failed)
        course.done += 1

    async def _count(
        self, connection: Connection, course: _Course, document_id: UUID, reused: int = 0, failed: int = 0,
        tokens: int = 0,
    ) -> None:  # fmt: skip
        await connection.execute(
            SQL["note_document"], course.event.subject, document_id, reused, failed, tokens
        )
        await notify_progress(connection, course.scope.tenant_id, course.event.subject)

    @contextlib.asynccontextmanager
    async def _writing(self, course: _Course) -> AsyncIterator[Connection]:
        """A transaction in which the batch is still this worker's. Raises LeaseLost."""
        async with self._means.database.transaction(course.scope) as connection:
            await require_ours(connection, course.worker, course.event)
            yield connection


def _asker(event: Event, row: Any) -> Scope:
    """The scope of whoever asked: what is made shows what they may see, and is put on their account."""
    subjects = None if row["subjects"] is None else frozenset(row["subjects"])
    return Scope(event.tenant_id, row["created_by"], subjects=subjects)
