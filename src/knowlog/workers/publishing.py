"""Publishing chosen events to a topic of the operator's. Every worker process tries; a row lock lets one at a time."""

import asyncio
import logging

from knowlog.bus import Broker, BusSettings, Event, Message, Shelf, follow_events, pack_within
from knowlog.database import Database
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.tasks import asked_to_end
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_PAUSE_S = 0.5
_BROKEN_PAUSE_S = 1.0


class Publisher:
    """Follows the log of all tenants until it is cancelled.

    Events are published before the transaction that moves the reader commits: a crash between the two repeats them.
    While the broker is down the reader stays where it is. Messages about one document have one key, and keep their order.
    """

    def __init__(self, database: Database, broker: Broker, shelf: Shelf, settings: BusSettings) -> None:
        self._database = database
        self._broker = broker
        self._shelf = shelf
        self._settings = settings

    async def run(self) -> None:
        """Go on for ever."""
        broken = False
        while not asked_to_end():
            try:
                count = await self.step()
                if broken:
                    _LOG.info("the broker takes events again")
                broken = False
            except KnowlogError as error:
                if not broken:
                    _LOG.warning("events wait to be published: %s", error.detail)
                broken = True
                await asyncio.sleep(_BROKEN_PAUSE_S)
                continue
            except Exception:
                _LOG.exception("publishing events failed; it goes on")
                await asyncio.sleep(_BROKEN_PAUSE_S)
                continue
            if not count:
                await asyncio.sleep(_PAUSE_S)

    async def step(self) -> int:
        """Publish what comes next. Returns how many events that were. Raises KnowlogError."""
        async with self._database.system() as connection:
            events = await follow_events(connection, self._settings.publish_topic, self._settings.published)
            if events:
                messages = [await self._message(event) for event in events]
                await self._broker.publish_plain(self._settings.publish_topic, messages)
        metrics.PUBLISHED.inc(len(events))
        return len(events)

    async def _message(self, event: Event) -> Message:
        body = await pack_within(event, self._broker.most_bytes, self._shelf)
        return Message(f"{event.tenant_id}:{event.subject}", str(event.event_id), body)
