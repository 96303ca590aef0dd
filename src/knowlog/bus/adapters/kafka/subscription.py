"""A member of a consumer group."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from knowlog.bus.adapters.kafka.calls import FENCED, NO_TOPIC, in_time, translated
from knowlog.bus.adapters.kafka.messages import SLICE_S, Partition, name_of, own_delivery
from knowlog.bus.adapters.lanes import Settled, again
from knowlog.bus.port import Delivery
from knowlog.kernel.tasks import asked_to_end

if TYPE_CHECKING:
    from knowlog.bus.adapters.kafka.broker import KafkaBroker

_TEND_S = 1.0


class KafkaSubscription:
    """A member of a consumer group. What is handed back is given out again by this member, or after it has left."""

    def __init__(
        self, broker: "KafkaBroker", topic: str, settings: dict[str, Any],
        require: Callable[[str], None] | None = None, read: Callable[[Any], Delivery] | None = None,
    ) -> None:  # fmt: skip
        self._broker, self._topic, self._settings = broker, topic, settings
        self._require = require or broker.require_topic
        self._read = read or own_delivery
        self._consumer: Any = None
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._closing = False
        self._paused: set[Partition] = set()
        self._polled = monotonic()
        self._tending: asyncio.Task[None] | None = None
        self._lock = threading.Lock()
        self._ready: deque[Delivery] = deque()
        self._offsets: dict[Partition, Settled] = {}

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return what was fetched. What a cancelled call has fetched is returned by the next."""
        if self._tending is None:
            self._tending = asyncio.create_task(self._tend())
        if not self._ready:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._fetch, most, wait_s)
        with self._lock:
            return [self._ready.popleft() for _ in range(min(most, len(self._ready)))]

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Commit, in each partition, the offset before which everything is settled."""
        with self._lock:
            for delivery in deliveries:
                partition, offset = delivery.receipt
                if partition in self._offsets:
                    self._offsets[partition].settle(offset)
            wanted = {
                partition: each.upto
                for partition, each in self._offsets.items() if each.upto > each.committed
            }  # fmt: skip
        if wanted:
            await in_time(asyncio.to_thread(self._commit, wanted))

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next."""
        with self._lock:
            back = again(deliveries, lambda each: each.receipt[0] in self._offsets)
            self._ready.extendleft(sorted(back, key=lambda each: each.receipt[1], reverse=True))

    async def bury(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Write messages to `<topic>.dead`, then settle them."""
        await asyncio.to_thread(self._broker.bury, self._topic, [each.message for each in deliveries], reason)
        await self.settle(deliveries)

    async def close(self) -> None:
        """Leave the group, so that others get the partitions at once."""
        self._closing = True
        if self._tending is not None:
            self._tending.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._leave)
        self._thread.shutdown(wait=False)

    async def _tend(self) -> None:
        """Take part in the group's affairs while whoever uses this is busy; else nobody else could join it."""
        while not asked_to_end():
            await asyncio.sleep(_TEND_S)
            if monotonic() - self._polled > _TEND_S:
                await asyncio.get_running_loop().run_in_executor(self._thread, self._attend)

    def _attend(self) -> None:
        if self._consumer is None:
            return
        with contextlib.suppress(KafkaException):  # the next receive tells it
            fetching = [each for each in self._consumer.assignment() if name_of(each) not in self._paused]
            self._consumer.pause(fetching)
            self._paused |= {name_of(each) for each in fetching}
            found = self._consumer.poll(0)
            self._take([found] if found is not None and found.error() is None else [])

    def _resume(self) -> None:
        """A partition stays paused through a rebalance, and can be resumed only while it is assigned."""
        self._polled = monotonic()
        if self._paused:
            again = [each for each in self._consumer.assignment() if name_of(each) in self._paused]
            self._consumer.resume(again)
            self._paused -= {name_of(each) for each in again}

    def _fetch(self, most: int, wait_s: float) -> None:
        deadline = monotonic() + wait_s
        try:
            consumer = self._open()
            self._resume()
            found = consumer.consume(most, 0)
            while not found and not self._closing and (left := deadline - monotonic()) > 0:
                self._resume()
                first = consumer.poll(min(left, SLICE_S))
                found = [first, *consumer.consume(most - 1, 0)] if first is not None else []
        except KafkaException as error:
            raise translated(error) from error
        finally:
            self._polled = monotonic()
        self._take(found)

    def _take(self, found: Sequence[Any]) -> None:
        with self._lock:
            for each in found:
                if each.error() is None:
                    partition = (each.topic(), each.partition())
                    self._offsets.setdefault(partition, Settled(each.offset())).give(each.offset())
                    self._ready.append(self._read(each))
        failed = next((each.error() for each in found if each.error() is not None), None)
        if failed is not None and not (failed.retriable() or failed.code() in FENCED | NO_TOPIC):
            raise translated(KafkaException(failed))

    def _open(self) -> Any:
        if self._consumer is None:
            self._require(self._topic)
            consumer = Consumer(self._settings)
            consumer.subscribe([self._topic], on_revoke=self._forget, on_lost=self._forget)
            self._consumer = consumer
        return self._consumer

    def _forget(self, _: Any, partitions: Sequence[Any]) -> None:
        gone = {name_of(each) for each in partitions}
        with self._lock:
            self._offsets = {key: value for key, value in self._offsets.items() if key not in gone}
            self._ready = deque(each for each in self._ready if each.receipt[0] not in gone)

    def _commit(self, wanted: dict[Partition, int]) -> None:
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in wanted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in FENCED:  # who is fenced has lost the messages to another
                raise translated(error) from error
        with self._lock:
            for partition, offset in wanted.items():
                if partition in self._offsets:
                    self._offsets[partition].committed = offset

    def _leave(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
