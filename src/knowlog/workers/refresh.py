"""Fetch documents again that came from a URL, as schedules ask for it."""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from knowlog.bootstrap import App
from knowlog.bus import Event, LeaseLost, append_events, complete, require_ours
from knowlog.database import Scope
from knowlog.documents import Upload, documents_by_url, find_collection
from knowlog.edge import Fetched, fetch
from knowlog.kernel.errors import Conflict, KnowlogError, NotFound, TooLarge
from knowlog.kernel.places import Places
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_AT_ONCE = 4
_SMALL_BYTES = 4 * 2**20
_LARGE_AT_ONCE = 4
"""Larger documents are in memory one of each tenant, and so many in all, until they are stored."""
_MOST = 200
"""Documents of one job; a longer list goes on in another, so that each ends in bearable time."""


class Refresher:
    """Handles `refresh.requested`. May be repeated at any point: the same bytes change nothing."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._large = Places(_LARGE_AT_ONCE, 1)

    async def refresh(self, worker: str, events: Sequence[Event]) -> None:
        """Fetch the next documents of each event's collection, and ask for those behind them."""
        for event in events:
            scope = Scope(event.tenant_id, f"worker:{worker}")
            found = await self._documents(scope, event)
            slots = asyncio.Semaphore(_AT_ONCE)
            outcomes = Counter(
                await asyncio.gather(*(self._fetch(worker, scope, event, slots, url) for _, url in found))
            )
            with contextlib.suppress(LeaseLost):
                await self._finish(worker, scope, event, found, outcomes)

    async def _documents(self, scope: Scope, event: Event) -> list[tuple[UUID, str]]:
        after = event.data.get("after")
        async with self._app.database.transaction(scope) as connection:
            return await documents_by_url(connection, event.subject, after and UUID(after), _MOST)

    async def _fetch(
        self, worker: str, scope: Scope, event: Event, slots: asyncio.Semaphore, url: str
    ) -> str:
        """Fetch one document and take it in. What cannot be fetched stays as it is."""
        async with slots:
            try:
                async with self._fetched(scope.tenant_id, url) as got:
                    outcome = await self._take_in(worker, scope, event, url, got)
            except (NotFound, Conflict):  # the collection is gone, or the job is not ours any more
                outcome = "unchanged"
            except KnowlogError as error:
                if not error.permanent:
                    raise
                _LOG.info("a document was not fetched again: %s", error.detail)
                outcome = "unreachable"
        metrics.REFRESHED.labels(outcome).inc()
        return outcome

    @asynccontextmanager
    async def _fetched(self, tenant_id: UUID, url: str) -> AsyncIterator[Fetched]:
        """What stands at a URL; a large document has one of few places until it is stored."""
        api, limit = self._app.settings.api, self._app.settings.documents.max_upload_bytes
        try:
            got = await fetch(url, api, min(_SMALL_BYTES, limit))
        except TooLarge:
            async with self._large.of(tenant_id):
                yield await fetch(url, api, limit)
        else:
            yield got

    async def _take_in(self, worker: str, scope: Scope, event: Event, url: str, got: Fetched) -> str:
        await self._app.receiver.room.require(self._app.database, scope)
        upload = Upload(url, got.filename, got.content, got.media_type)
        async with self._app.database.transaction(scope) as connection:
            await require_ours(connection, worker, event)
            collection_id = await find_collection(connection, scope, str(event.subject))
            (received,) = await self._app.receiver.receive(connection, scope, str(collection_id), [upload])
        return "updated" if received.outcome in ("created", "updated") else "unchanged"

    async def _finish(
        self,
        worker: str,
        scope: Scope,
        event: Event,
        found: Sequence[tuple[UUID, str]],
        outcomes: Counter[str],
    ) -> None:
        about = {"collection_id": event.subject}
        done = {
            **about,
            "document_count": len(found),
            "updated_count": outcomes["updated"],
            "unreachable_count": outcomes["unreachable"],
        }
        async with self._app.database.transaction(scope) as connection:
            await complete(connection, worker, [event])
            await append_events(connection, "collection.refreshed", [(event.subject, done)])
            if len(found) == _MOST:
                going_on = {**event.data, **about, "after": found[-1][0]}
                await append_events(connection, event.type, [(event.subject, going_on)])
