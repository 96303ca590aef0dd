"""The relay tells a broker of work that is ready. Every worker process runs one; row locks keep them apart."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping

from knowlog.bus import Broker, BusSettings, Event, Message, Turn, announce, pack, work_is_unfinished
from knowlog.database import Database
from knowlog.kernel.errors import KnowlogError
from knowlog.kernel.tasks import asked_to_end
from knowlog.workers import metrics

_LOG = logging.getLogger("knowlog.worker")
_MOST = 500
_LONGEST_PAUSE_S = 0.5
_IDLE_PAUSE_S = 5.0
"""Between two looks of a worker that listens, while nothing of any tenant is unfinished."""
_LEAST_PAUSE_S = 0.01
_BROKEN_PAUSE_S = 1.0
_LONGEST_BROKEN_PAUSE_S = 4.0


class Relay:
    """Announces ready events until it is cancelled.

    An announcement is published before the transaction that remembers it commits: a crash between the two repeats it,
    and the claim sees through that. While the broker is down, nothing is remembered and nothing is lost.
    """

    def __init__(
        self, database: Database, broker: Broker, settings: BusSettings, queues: Mapping[str, str],
        listens: Callable[[], bool],
    ) -> None:  # fmt: skip
        """`listens` says whether `wake` is called when work is written."""
        self._database = database
        self._broker = broker
        self._settings = settings
        self._queues = queues
        self._turns: defaultdict[str, Turn] = defaultdict(Turn)
        self._listens = listens
        self._woken = asyncio.Event()
        self.broken = False
        """Whether the broker took nothing the last time: then work is to be claimed without being announced."""

    def wake(self) -> None:
        """There may be work."""
        self._woken.set()

    async def run(self) -> None:
        """Go on for ever."""
        pause_s = _LEAST_PAUSE_S
        while not asked_to_end():
            self._woken.clear()
            count = await self._try()
            if self.broken:
                pause_s = min(max(_BROKEN_PAUSE_S, pause_s * 2), _LONGEST_BROKEN_PAUSE_S)
                await asyncio.sleep(pause_s)
                continue
            # Nobody tells when there is room in the window again: looking soon is what keeps quick workers busy.
            pause_s = _LEAST_PAUSE_S if count else min(pause_s * 2, _LONGEST_PAUSE_S)
            if count < _MOST:
                await asyncio.sleep(_LEAST_PAUSE_S)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_IDLE_PAUSE_S if await self._is_idle(pause_s) else pause_s):
                        await self._woken.wait()

    async def _is_idle(self, pause_s: float) -> bool:
        """Whether nothing can become due without being heard of: asked when there was nothing for a while."""
        if pause_s < _LONGEST_PAUSE_S or not self._listens():
            return False
        with contextlib.suppress(Exception):  # the next look says what is wrong
            return not await work_is_unfinished(self._database)
        return False

    async def _try(self) -> int:
        """One step; what goes wrong is logged when it begins and when it ends."""
        try:
            if self.broken:
                await (
                    self._broker.check()
                )  # a step keeps events locked while it waits for a broker that is away
            count = await self.step()
        except KnowlogError as error:
            if not self.broken:
                _LOG.warning("announcements wait in the outbox: %s", error.detail)
            self.broken = True
            return 0
        except Exception:
            _LOG.exception("the relay failed; it goes on")
            self.broken = True
            return 0
        if self.broken:
            _LOG.info("announcements go out again")
        self.broken = False
        return count

    async def step(self) -> int:
        """Announce what is ready now. Returns how many events that were. Raises KnowlogError."""
        types: dict[str, list[str]] = defaultdict(list)
        for kind, queue in self._queues.items():
            types[queue].append(kind)
        return sum([await self._announce(queue, own) for queue, own in types.items()])

    async def _announce(self, queue: str, types: list[str]) -> int:
        """Announce what is ready in one queue: each has a window of its own."""
        async with self._database.system() as connection:
            events = await announce(
                connection, _MOST, types, window=self._settings.window,
                quiet_s=self._settings.announce_again_s, turn=self._turns[queue],
            )  # fmt: skip
            if events:
                await self._broker.publish(
                    self._settings.work_topic(queue), [_message(event) for event in events]
                )
        metrics.ANNOUNCED.inc(len(events))
        return len(events)


def _message(event: Event) -> Message:
    return Message(f"{event.tenant_id}:{event.subject}", str(event.event_id), pack(event, with_data=False))
