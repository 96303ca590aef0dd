"""Which handler does which kind of work, and in which queue it stands."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from knowlog.bootstrap import App
from knowlog.bus import QUEUES, Event, LeaseLost, WorkerSettings, complete
from knowlog.database import Scope
from knowlog.evaluation import Evaluator
from knowlog.evaluation.tuning import Tuner
from knowlog.ingestion import Switcher
from knowlog.summarizing import Batcher, Summarizer
from knowlog.workers import metrics
from knowlog.workers.deliveries import Deliverer
from knowlog.workers.mail import Mailer
from knowlog.workers.refresh import Refresher
from knowlog.workers.retention import Retention

Handler = Callable[[str, Sequence[Event]], Awaitable[None]]
"""Called with the worker's name and events of one tenant and type. Its effect and `complete` are one transaction."""


def handlers_of(app: App) -> dict[str, Handler]:
    """Return the handler of each type of event that asks for work."""

    async def drop_originals(worker: str, events: Sequence[Event]) -> None:
        """Remove the original bytes of what was deleted or replaced."""
        for event in events:
            await app.blobs.delete(event.data["blobs"])
            async with app.database.transaction(Scope(event.tenant_id, f"worker:{worker}")) as connection:
                with contextlib.suppress(LeaseLost):
                    await complete(connection, worker, [event])

    return {
        "document.received": app.indexer.index,
        "document.replaced": drop_originals,
        "document.deleted": drop_originals,
        "collection.deleted": drop_originals,
        "refresh.requested": Refresher(app).refresh,
        "retention.requested": Retention(app).apply,
        "evaluation.requested": Evaluator(app.asked, metrics.MEASURED.inc).evaluate,
        "tuning.requested": Tuner(app.asked, app.builder, metrics.TRIALS.inc).tune,
        "summary.requested": Summarizer(app.summarizing, metrics.summarized).summarize,
        "summary_batch.requested": Batcher(app.summarizing, metrics.summarized).run,
        "switch.requested": Switcher(app.builder, app.settings.stores, metrics.SWITCHED.inc).switch,
        "delivery.requested": Deliverer(app).deliver,
        "mail.requested": Mailer(app).send,
    }


def most_attempts(app: App, kind: str) -> int:
    """How often work of a type may fail before it stays failed."""
    own = {
        "delivery.requested": app.settings.webhooks.attempts,
        "mail.requested": app.settings.mail.attempts,
    }
    return own.get(kind, app.settings.worker.max_attempts)


def queues_served(settings: WorkerSettings) -> Mapping[str, str]:
    """Return the queue of each type that a worker serves."""
    return {kind: queue for kind, queue in QUEUES.items() if not settings.queues or queue in settings.queues}
