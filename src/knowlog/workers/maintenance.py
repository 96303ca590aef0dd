"""What must be done now and then, by whichever worker comes first. Each step may run twice without harm."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta

from knowlog.bootstrap import App
from knowlog.bus import forget_events
from knowlog.ingestion import Rebuilder, sweep_originals
from knowlog.kernel import new_id
from knowlog.kernel.errors import KnowlogError
from knowlog.stores import fold_statistics, graduate_large_collections
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_OFTEN_S = 1.0
_SELDOM_S = 30.0
_RARELY_S = 3600.0
_IDEMPOTENCY_KEPT = timedelta(hours=24)


async def maintain(app: App) -> None:
    """Fold statistics each second, bring vectors under the configured model's key, give large collections their index,
    forget old idempotency keys and events. Runs on.
    """
    rebuilder = Rebuilder(
        app.database, app.embedder, app.store, f"rebuild-{new_id().hex[-12:]}", metrics.REBUILT.inc
    )
    await asyncio.gather(
        _every(_OFTEN_S, lambda: fold_statistics(app.database)),
        _every(_OFTEN_S, rebuilder.rebuild),
        _every(_SELDOM_S, lambda: graduate_large_collections(app.database)),
        _every(_RARELY_S, lambda: _forget_idempotency_keys(app)),
        _every(_RARELY_S, lambda: _forget_events(app)),
        _every(_RARELY_S, lambda: sweep_originals(app.database, app.blobs, older_than_s=_RARELY_S)),
    )


async def _every(pause_s: float, step: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await step()
        except KnowlogError as error:
            _LOG.warning("maintenance is put off: %s", error.detail)
        except Exception:
            _LOG.exception("maintenance failed; it is tried again")
        await asyncio.sleep(pause_s)


async def _forget_events(app: App) -> None:
    metrics.FORGOTTEN.inc(await forget_events(app.database, app.settings.bus.keep_days))


async def _forget_idempotency_keys(app: App) -> None:
    async with app.database.system() as connection:
        await connection.execute("select forget_idempotency_keys($1)", _IDEMPOTENCY_KEPT)
