"""Documents cut anew where the chunking of their collection's profile has changed.

A few of a collection's documents at a time are put back into the queue, in the order of their ids; each is then indexed
as any other, in one transaction, and its old chunks answer until that commits. One step is one transaction as well: who
is killed leaves it undone, and two workers that look at the same collection do not ask twice.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from knowlog.bus import append_events
from knowlog.database import Connection, Database, Scope, load_queries

_SQL = load_queries("knowlog.ingestion", "rechunking.sql")
_AT_ONCE = 64
"""So many documents of a collection wait to be cut anew at a time: fresh uploads have no more than these before them."""
_PAUSE = timedelta(seconds=1)


class Rechunker:
    """Has documents cut anew. `asked` hears of how many were put into the queue."""

    def __init__(
        self, database: Database, worker: str, asked: Callable[[int], object] = lambda _count: None, *,
        at_once: int = _AT_ONCE, pause: timedelta = _PAUSE,
    ) -> None:  # fmt: skip
        self._database = database
        self._worker = worker
        self._asked = asked
        self._at_once = at_once
        self._pause = pause

    async def rechunk(self) -> bool:
        """See to every collection that is due, once. False when there was none."""
        busy = False
        while claimed := await self._claim():
            busy = True
            async with self._database.transaction(Scope(claimed[0], f"worker:{self._worker}")) as connection:
                await self._step(connection, claimed[1])
        return busy

    async def _claim(self) -> tuple[UUID, UUID] | None:
        async with self._database.system() as connection:
            row = await connection.fetchrow("select * from claim_rechunking($1)", self._pause)
        return row and (row["tenant_id"], row["collection_id"])

    async def _step(self, connection: Connection, collection_id: UUID) -> None:
        """Ask for the next documents, as far as there is room; when there are none left, be done."""
        if await connection.fetchval(_SQL["hold_collection"], collection_id) is None:
            return
        state = await connection.fetchrow(_SQL["lock_rechunking"], collection_id)
        if state is None:
            return
        room = self._at_once - len(state["unfinished"])
        found = await connection.fetch(
            _SQL["next_outdated"], collection_id, state["after_document"], max(room, 0)
        )
        if found:
            await self._ask(connection, collection_id, state["unfinished"], found)
        elif room == self._at_once:
            await self._finish(connection, collection_id)

    async def _ask(
        self, connection: Connection, collection_id: UUID, unfinished: list[UUID], found: list[Any]
    ) -> None:
        ids = [row["document_id"] for row in found]
        await connection.execute(_SQL["put_back"], ids)
        data = [
            {"collection_id": collection_id, "version": row["latest"], "size_bytes": row["size_bytes"]}
            for row in found
        ]
        await append_events(connection, "document.received", list(zip(ids, data, strict=True)))
        await connection.execute(_SQL["advance"], collection_id, ids[-1], [*unfinished, *ids])
        self._asked(len(ids))

    async def _finish(self, connection: Connection, collection_id: UUID) -> None:
        counts = await connection.fetchrow(_SQL["finish"], collection_id)
        data = {"collection_id": collection_id, **counts}
        await append_events(connection, "collection.rechunked", [(collection_id, data)])
