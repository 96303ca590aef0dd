"""Calls to Kafka: what has been acknowledged, and errors of ours."""

import asyncio
from time import monotonic
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.lanes import FAILS_AFTER_S
from knowlog.bus.port import Message
from knowlog.kernel.errors import KnowlogError, Misconfigured, TooLarge

FENCED = {
    KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.FENCED_INSTANCE_ID, KafkaError._ASSIGNMENT_LOST, KafkaError._NO_OFFSET,
}  # fmt: skip
NO_TOPIC = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,
}  # also for a moment after it was made
_TOO_LARGE = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE}
_REFUSED = {
    KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED, KafkaError.TOPIC_EXCEPTION,
}  # fmt: skip


class Told:
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
        """Hear of one message."""
        self.missing -= 1
        self._heard = monotonic()
        self.error = self.error or error


def produce(
    producer: Any, topic: str, message: Message, headers: list[tuple[str, bytes]], told: Told
) -> None:
    """Give a message to the producer, when it has room. Raises Unavailable."""
    while True:
        try:
            producer.produce(topic, message.body, message.key.encode(), headers=headers, on_delivery=told)
            return
        except BufferError as error:
            if told.late:
                raise unavailable("Kafka", "it takes no more messages") from error
            producer.poll(0.02)


async def in_time(work: Any) -> None:
    """Await an answer of Kafka. Raises Unavailable."""
    try:
        async with asyncio.timeout(FAILS_AFTER_S):
            await work
    except TimeoutError as error:
        raise unavailable("Kafka", "it does not answer") from error


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
    return unavailable("Kafka", reason.str())
