"""The producer of a process; topics; dead letters."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.kafka.calls import NO_TOPIC, Told, produce, translated
from knowlog.bus.adapters.kafka.messages import plain_delivery, read_until
from knowlog.bus.adapters.kafka.subscription import KafkaSubscription
from knowlog.bus.adapters.lanes import FAILS_AFTER_S, LANES, require_size
from knowlog.bus.port import Message
from knowlog.bus.settings import BusSettings
from knowlog.kernel.errors import KnowlogError, Misconfigured, Unavailable

_DEAD = ".dead"
_NAME_CHARS = 1000
_KEPT_READY = 16_384  # kB that a consumer fetches ahead


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
        subscription = KafkaSubscription(self, topic, settings, self.require_there, plain_delivery)
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

    async def clock(self) -> datetime | None:
        """Kafka does not tell."""
        return None

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
        """Write messages to the dead-letter topic; of one that is too large for the producer its beginning."""
        self._publish(topic + _DEAD, [_cut(each, reason, self.most_bytes) for each in messages], 1)

    def _publish(self, topic: str, messages: Sequence[tuple[Message, str | None]], partitions: int) -> None:
        self.require_topic(topic, partitions)
        producer, told = self._open_producer(), Told(len(messages))
        try:
            for message, reason in messages:
                headers = [("id", message.message_id.encode())]
                headers += [("reason", reason.encode())] if reason is not None else []
                produce(producer, topic, message, headers, told)
            while told.missing and not told.late:
                producer.poll(0.02)
        except KafkaException as error:
            raise self._failed(error) from error
        if told.error is not None:
            raise self._failed(KafkaException(told.error))
        if told.missing:
            raise unavailable("Kafka", "it does not acknowledge")

    def _failed(self, error: KafkaException) -> KnowlogError:
        reason = error.args[0]
        if reason.fatal():  # the producer is of no more use; the next call gets a new one
            self._producer = None
        if reason.code() in NO_TOPIC:
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
            return read_until(reader, min(end, lowest + most))
        except KafkaException as error:
            raise translated(error) from error
        finally:
            reader.close()

    def _metadata(self) -> Any:
        try:
            return AdminClient(self._common).list_topics(timeout=FAILS_AFTER_S)
        except KafkaException as error:
            raise translated(error) from error


def _cut(message: Message, reason: str, most_bytes: int) -> tuple[Message, str]:
    """What is kept of a dead letter: a stranger's may be larger than what is published here, and so may its key."""
    size = len(message.body)
    if size > most_bytes:
        reason += f" Of its {size:,} bytes the first {most_bytes:,} are kept."
    kept = Message(message.key[:_NAME_CHARS], message.message_id[:_NAME_CHARS], message.body[:most_bytes])
    return kept, reason
