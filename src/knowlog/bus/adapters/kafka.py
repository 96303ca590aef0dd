"""Kafka by librdkafka: idempotent producer, acks=all; a lane is a partition; settled is what lies before the offset.

librdkafka has threads of its own; the calls that wait for it are made in threads, so that the event loop never does.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from knowlog.bus.adapters.lanes import FAILS_AFTER_S, LANES, Settled, require_size
from knowlog.bus.port import Delivery, Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import KnowlogError, Misconfigured, TooLarge, Unavailable
from knowlog.kernel.tasks import asked_to_end

_DEAD = ".dead"
_KEPT_READY = 16_384  # kB that a consumer fetches ahead
_SLICE_S = 0.2
_TEND_S = 1.0
_FENCED = {
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID, KafkaError._ASSIGNMENT_LOST, KafkaError._NO_OFFSET,
}  # fmt: skip
_NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
}  # also for a moment after it was made
_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_REFUSED = {
    KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_EXCEPTION,
}  # fmt: skip
Partition = tuple[str, int]


class KafkaBroker:
    """One producer for the process, and a consumer for each subscription."""

    most_bytes = 900_000

    def __init__(self, url: str, settings: BusSettings) -> None:
        if not all(
            host and port.isdecimal() for host, _, port in (each.rpartition(":") for each in url.split(","))
        ):
            raise Misconfigured("KNOWLOG_BUS_URL is not an address of Kafka: write host:port,host:port.")
        self._settings = settings
        self._common: dict[str, Any] = {
            "bootstrap.servers": url,
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "socket.connection.setup.timeout.ms": 3000,
            "socket.timeout.ms": 10_000,
            "log_level": 0,  # what fails is told by our errors
            "error_cb": lambda error: None,
        }
        self._producer: Any = None
        self._topics: set[str] = set()
        self._lock = threading.Lock()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when all replicas in sync hold the messages."""
        require_size(messages, self.most_bytes)
        await asyncio.to_thread(self._publish, topic, [(each, None) for each in messages], LANES)

    async def publish_plain(self, topic: str, messages: Sequence[Message]) -> None:
        """The same: a topic of Kafka is plain as it is."""
        await self.publish(topic, messages)

    @asynccontextmanager
    async def subscribe(self, topic: str, group: str, consumer: str) -> AsyncIterator["KafkaSubscription"]:
        """Join the consumer group `<topic>.<group>`."""
        subscription = KafkaSubscription(self, topic, self._consumer_settings(f"{topic}.{group}", consumer))
        try:
            yield subscription
        finally:
            await subscription.close()

    @asynccontextmanager
    async def subscribe_plain(self, topic: str, group: str) -> AsyncIterator["KafkaSubscription"]:
        """Join a consumer group of a topic of others, from its beginning. Partitions are shared out among its members."""
        settings = self._consumer_settings(group, "knowlog")
        subscription = KafkaSubscription(self, topic, settings, self.require_there, _plain)
        try:
            yield subscription
        finally:
            await subscription.close()

    async def dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        """Read the topic's dead-letter topic from its beginning."""
        return await asyncio.to_thread(self._dead, topic + _DEAD, most)

    async def check(self) -> str:
        """Ask for the brokers of the cluster; Kafka does not tell its version."""
        found = await asyncio.to_thread(self._metadata)
        return f"Kafka, {len(found.brokers)} broker(s), cluster {found.cluster_id}"

    async def close(self) -> None:
        """Let the producer go; whatever was acknowledged is with the brokers."""
        self._producer = None

    def require_topic(self, topic: str, partitions: int = LANES) -> None:
        """Create a topic unless it is there."""
        if topic in self._topics:
            return
        # Messages that nobody can read are kept until a person has looked at them.
        config = {"retention.ms": "-1"} if partitions == 1 else {}
        wanted = NewTopic(topic, num_partitions=partitions, replication_factor=-1, config=config)
        admin = AdminClient(self._common)  # what is asked through it fails when it goes
        try:
            futures = admin.create_topics(
                [wanted], request_timeout=FAILS_AFTER_S, operation_timeout=FAILS_AFTER_S
            )
            futures[topic].result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise translated(error) from error
        self._topics.add(topic)

    def require_there(self, topic: str) -> None:
        """Raise Unavailable where there is no such topic, or Kafka does not let it be seen."""
        if topic not in self._metadata().topics:
            raise Unavailable(f"Kafka has no topic {topic!r}. Create it, or delete the source.")

    def bury(self, topic: str, messages: Sequence[Message], reason: str) -> None:
        """Write messages to the dead-letter topic."""
        self._publish(topic + _DEAD, [(each, reason) for each in messages], 1)

    def _publish(self, topic: str, messages: Sequence[tuple[Message, str | None]], partitions: int) -> None:
        self.require_topic(topic, partitions)
        producer, told = self._open_producer(), _Told(len(messages))
        try:
            for message, reason in messages:
                headers = [("id", message.message_id.encode())]
                headers += [("reason", reason.encode())] if reason is not None else []
                _produce(producer, topic, message, headers, told)
            while told.missing and not told.late:
                producer.poll(0.02)
        except KafkaException as error:
            raise self._failed(error) from error
        if told.error is not None:
            raise self._failed(KafkaException(told.error))
        if told.missing:
            raise _unavailable("it does not acknowledge")

    def _failed(self, error: KafkaException) -> KnowlogError:
        reason = error.args[0]
        if reason.fatal():  # the producer is of no more use; the next call gets a new one
            self._producer = None
        if reason.code() in _NO_TOPIC:
            self._topics.clear()  # somebody has deleted it; the next call creates it
        return translated(error)

    def _open_producer(self) -> Any:
        with self._lock:
            if self._producer is None:
                self._producer = Producer({
                    **self._common,
                    "enable.idempotence": True,
                    "acks": "all",
                    "partitioner": "murmur2",  # an empty key has a partition too
                    "linger.ms": 1,
                    "compression.type": "lz4",
                    "message.timeout.ms": int(FAILS_AFTER_S * 1000),
                    "queue.buffering.max.messages": 200_000,
                })  # fmt: skip
            return self._producer

    def _consumer_settings(self, group: str, consumer: str) -> dict[str, Any]:
        takeover_ms = int(self._settings.takeover_s * 1000)
        return {
            **self._common,
            "group.id": group,
            "client.id": consumer,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "partition.assignment.strategy": "cooperative-sticky",
            "session.timeout.ms": takeover_ms,
            "heartbeat.interval.ms": takeover_ms // 4,
            "max.poll.interval.ms": 900_000,
            "fetch.error.backoff.ms": 100,
            "fetch.queue.backoff.ms": 10,
            "queued.max.messages.kbytes": _KEPT_READY,
        }

    def _dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        if topic not in self._metadata().topics:
            return []
        reader = Consumer({**self._common, "group.id": topic, "enable.auto.commit": False})
        try:
            lowest, end = reader.get_watermark_offsets(TopicPartition(topic, 0), timeout=FAILS_AFTER_S)
            reader.assign([TopicPartition(topic, 0, lowest)])
            return _read_until(reader, min(end, lowest + most))
        except KafkaException as error:
            raise translated(error) from error
        finally:
            reader.close()

    def _metadata(self) -> Any:
        try:
            return AdminClient(self._common).list_topics(timeout=FAILS_AFTER_S)
        except KafkaException as error:
            raise translated(error) from error


class KafkaSubscription:
    """A member of a consumer group. What is handed back is given out again by this member, or after it has left."""

    def __init__(
        self, broker: KafkaBroker, topic: str, settings: dict[str, Any],
        require: Callable[[str], None] | None = None, read: Callable[[Any], Delivery] | None = None,
    ) -> None:  # fmt: skip
        self._broker, self._topic, self._settings = broker, topic, settings
        self._require = require or broker.require_topic
        self._read = read or _own
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
            await _in_time(asyncio.to_thread(self._commit, wanted))

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Put messages before those that are next."""
        with self._lock:
            again = [
                Delivery(each.message, each.attempt + 1, each.receipt)
                for each in deliveries if each.receipt[0] in self._offsets
            ]  # fmt: skip
            self._ready.extendleft(sorted(again, key=lambda each: each.receipt[1], reverse=True))

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
            fetching = [each for each in self._consumer.assignment() if _name(each) not in self._paused]
            self._consumer.pause(fetching)
            self._paused |= {_name(each) for each in fetching}
            found = self._consumer.poll(0)
            self._take([found] if found is not None and found.error() is None else [])

    def _resume(self) -> None:
        """A partition stays paused through a rebalance, and can be resumed only while it is assigned."""
        self._polled = monotonic()
        if self._paused:
            again = [each for each in self._consumer.assignment() if _name(each) in self._paused]
            self._consumer.resume(again)
            self._paused -= {_name(each) for each in again}

    def _fetch(self, most: int, wait_s: float) -> None:
        deadline = monotonic() + wait_s
        try:
            consumer = self._open()
            self._resume()
            found = consumer.consume(most, 0)
            while not found and not self._closing and (left := deadline - monotonic()) > 0:
                self._resume()
                first = consumer.poll(min(left, _SLICE_S))
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
        if failed is not None and not (failed.retriable() or failed.code() in _FENCED | _NO_TOPIC):
            raise translated(KafkaException(failed))

    def _open(self) -> Any:
        if self._consumer is None:
            self._require(self._topic)
            consumer = Consumer(self._settings)
            consumer.subscribe([self._topic], on_revoke=self._forget, on_lost=self._forget)
            self._consumer = consumer
        return self._consumer

    def _forget(self, _: Any, partitions: Sequence[Any]) -> None:
        gone = {_name(each) for each in partitions}
        with self._lock:
            self._offsets = {key: value for key, value in self._offsets.items() if key not in gone}
            self._ready = deque(each for each in self._ready if each.receipt[0] not in gone)

    def _commit(self, wanted: dict[Partition, int]) -> None:
        offsets = [TopicPartition(topic, number, offset) for (topic, number), offset in wanted.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _FENCED:  # who is fenced has lost the messages to another
                raise translated(error) from error
        with self._lock:
            for partition, offset in wanted.items():
                if partition in self._offsets:
                    self._offsets[partition].committed = offset

    def _leave(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


class _Told:
    """What the brokers have said so far about the messages of one call."""

    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.error: Any = None
        self._heard = monotonic()

    @property
    def late(self) -> bool:
        """Whether nothing has been heard for too long."""
        return monotonic() - self._heard > FAILS_AFTER_S

    def __call__(self, error: Any, _: Any) -> None:
        self.missing -= 1
        self._heard = monotonic()
        self.error = self.error or error


def _produce(
    producer: Any, topic: str, message: Message, headers: list[tuple[str, bytes]], told: _Told
) -> None:
    while True:
        try:
            producer.produce(topic, message.body, message.key.encode(), headers=headers, on_delivery=told)
            return
        except BufferError as error:
            if told.late:
                raise _unavailable("it takes no more messages") from error
            producer.poll(0.02)


def _name(partition: Any) -> Partition:
    return partition.topic, partition.partition


def _message(found: Any) -> Message:
    headers = dict(found.headers() or ())
    message_id = (headers.get("id") or b"").decode(errors="replace")
    return Message((found.key() or b"").decode(errors="replace"), message_id, found.value() or b"")


def _own(found: Any) -> Delivery:
    return Delivery(_message(found), 1, ((found.topic(), found.partition()), found.offset()))


def _plain(found: Any) -> Delivery:
    """A message of others: its id is its place, which no other message of the topic has."""
    headers = {name.lower(): (value or b"").decode(errors="replace") for name, value in found.headers() or ()}
    key = (found.key() or b"").decode(errors="replace")
    message = Message(key, f"{found.partition()}-{found.offset()}", found.value() or b"")
    return Delivery(message, 1, ((found.topic(), found.partition()), found.offset()), headers)


def _read_until(reader: Any, end: int) -> list[tuple[Message, str]]:
    read: list[tuple[Message, str]] = []
    deadline, position = monotonic() + FAILS_AFTER_S, -1
    while position + 1 < end and monotonic() < deadline:
        found = reader.poll(_SLICE_S)
        if found is not None and found.error() is None and found.offset() < end:
            position = found.offset()
            read.append(
                (_message(found), dict(found.headers() or ()).get("reason", b"").decode(errors="replace"))
            )
    return read


async def _in_time(work: Any) -> None:
    try:
        async with asyncio.timeout(FAILS_AFTER_S):
            await work
    except TimeoutError as error:
        raise _unavailable("it does not answer") from error


def translated(error: KafkaException) -> KnowlogError:
    """Kafka's error as one of ours."""
    reason = error.args[0]
    if reason.code() in _TOO_LARGE:
        return TooLarge(
            "A message is larger than Kafka takes. Store the content, or raise message.max.bytes."
        )
    if reason.code() in _REFUSED:
        return Misconfigured(
            f"Kafka refuses: {reason.str()}. Check KNOWLOG_BUS_URL and the rights of its user."
        )
    return _unavailable(reason.str())


def _unavailable(why: str) -> Unavailable:
    return Unavailable(
        f"Kafka cannot be reached or used now ({why}). Check that it runs, and KNOWLOG_BUS_URL."
    )
