"""Mail, as jobs ask for it: a slow server holds a worker's turn and nobody's request."""

import contextlib
from collections.abc import Sequence

from knowlog.bootstrap import App
from knowlog.bus import Event, LeaseLost, complete, fail, require_ours
from knowlog.database import Scope
from knowlog.kernel.errors import KnowlogError, Misconfigured
from knowlog.tenants import note_sending, open_mail, write_letter
from knowlog.workers import metrics

_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 3600.0


class Mailer:
    """Handles `mail.requested`. A mail may be sent twice when a worker dies between sending and noting it."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._mail = open_mail(app.settings.mail)

    async def send(self, worker: str, events: Sequence[Event]) -> None:
        """Write and send what each event asks for. What was cancelled or taken over is not sent."""
        for event in events:
            with contextlib.suppress(LeaseLost):
                await self._send(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _send(self, worker: str, event: Event, scope: Scope) -> None:
        database, kind, home = self._app.database, event.data["letter"], home_of(self._app)
        async with database.transaction(scope) as connection:
            await require_ours(connection, worker, event)
        letter = await write_letter(database, scope, kind, event.subject, home)
        try:
            if letter is not None:
                await self._mail.send(letter)
        except KnowlogError as error:
            await self._put_off(worker, event, scope, error)
            return
        metrics.MAILS.labels("sent" if letter else "needless").inc()
        await note_sending(database, scope, kind, event.subject, None)
        async with database.transaction(scope) as connection:
            await complete(connection, worker, [event])

    async def _put_off(self, worker: str, event: Event, scope: Scope, error: KnowlogError) -> None:
        """Try again later, with growing pauses, unless it never will work, or has failed too often."""
        last = event.attempts >= self._app.settings.mail.attempts
        hopeless = last or (error.permanent and not isinstance(error, Misconfigured))
        wait_s = None if hopeless else min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 4.0 ** (event.attempts - 1))
        metrics.MAILS.labels("dead" if hopeless else "failed").inc()
        await note_sending(self._app.database, scope, event.data["letter"], event.subject, error.detail)
        async with self._app.database.transaction(scope) as connection:
            await fail(connection, worker, event, error.detail, wait_s)


def home_of(app: App) -> str:
    """The address of the installation, as links in mails have it."""
    api = app.settings.api
    return (api.public_url or f"http://localhost:{api.port}").rstrip("/")
