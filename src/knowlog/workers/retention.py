"""Delete documents whose content is too old, as schedules ask for it."""

import contextlib
from collections.abc import Sequence

from knowlog.bootstrap import App
from knowlog.bus import Event, LeaseLost, complete, require_ours
from knowlog.database import Scope
from knowlog.documents import documents_older_than
from knowlog.ingestion import delete_within
from knowlog.kernel.errors import NotFound, PreconditionFailed

_MOST = 100


class Retention:
    """Handles `retention.requested`. Each document is deleted with a receipt, as if somebody had asked for it."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def apply(self, worker: str, events: Sequence[Event]) -> None:
        """Delete what is too old in each event's collection. Whatever has new content meanwhile stays, and
        after a cancel everything that is left does.
        """
        for event in events:
            scope = Scope(event.tenant_id, f"retention:{event.event_id}")
            with contextlib.suppress(LeaseLost):
                while await self._delete_some(worker, scope, event):
                    pass
                async with self._app.database.transaction(scope) as connection:
                    await complete(connection, worker, [event])

    async def _delete_some(self, worker: str, scope: Scope, event: Event) -> bool:
        """Delete up to 100 documents. False when there was nothing left to delete. Raises LeaseLost."""
        async with self._app.database.transaction(scope) as connection:
            days = event.data["older_than_days"]
            found = await documents_older_than(connection, event.subject, days, _MOST)
        for document_id, revision in found:
            with contextlib.suppress(NotFound, PreconditionFailed):
                async with self._app.database.transaction(scope) as connection:
                    await require_ours(connection, worker, event)
                    await delete_within(connection, self._app.store, scope, document_id, revision)
        return bool(found)
