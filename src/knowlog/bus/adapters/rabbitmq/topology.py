"""What a topic is made of in RabbitMQ, and how a message of ours looks there."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiormq.abc import DeliveredMessage

from knowlog.bus.port import Message

_DEAD_BYTES = 2**30
Declare = Callable[[Any, str], Awaitable[None]]
"""Makes what a topic is made of, unless it is there."""


async def declare_topic(channel: Any, topic: str) -> None:
    """Make a topic's exchange unless it is there."""
    await channel.exchange_declare(topic, exchange_type="direct", durable=True)


async def declare_queue(channel: Any, topic: str) -> None:
    """Make a queue that others read unless it is there."""
    await channel.queue_declare(topic, durable=True, arguments={"x-queue-type": "quorum"})


async def declare_dead(channel: Any, topic: str) -> Any:
    """Make a topic's stream of dead letters unless it is there. After a restart it is back later than the queues."""
    arguments = {"x-queue-type": "stream", "x-max-length-bytes": _DEAD_BYTES}
    return await channel.queue_declare(dead_name(topic), durable=True, arguments=arguments)


def dead_name(topic: str) -> str:
    """The stream of what nobody could read."""
    return f"{topic}.dead"


def message_of(found: DeliveredMessage) -> Message:
    """A message of ours; of what a stranger has published as much as there is, for whoever reads it to refuse."""
    headers = found.header.properties.headers or {}
    return Message(text_of(headers.get("key", "")), text_of(headers.get("id", "")), found.body)


def reason_of(found: DeliveredMessage) -> str:
    """Ours, or RabbitMQ's own, which says how often a message was delivered in vain."""
    headers: Any = found.header.properties.headers or {}
    if "reason" in headers:
        return text_of(headers["reason"])
    deaths = headers.get("x-death") or [{}]
    return f"RabbitMQ: {text_of(deaths[0].get('reason', 'unknown'))}"


def text_of(value: Any) -> str:
    """A header as text, whatever it is."""
    return value.decode(errors="replace") if isinstance(value, bytes | bytearray) else str(value)
