"""The port of a broker: what carries messages from one process to others.

A broker here is transport, never the record: what happened and what is still to be done stand in the outbox table.
So a broker may deliver twice, late, or lose what it holds; the relay announces again what is not done in time, and
whoever receives an announcement claims the event in PostgreSQL before anything is done.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """A body of bytes under a topic. Messages of one `key` are kept in order; `message_id` tells repetitions apart."""

    key: str
    message_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as a consumer gets it. `attempt` is 1 at first, and more when it was delivered before, as far as the
    broker tells. `receipt` is the adapter's own.
    """

    message: Message
    attempt: int = 1
    receipt: Any = field(default=None, compare=False, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Of a message that others have published; their names in lower case."""
    unreadable: str = ""
    """Why what accompanies such a message could not be decoded; its only header is then all of it, in print."""


class Subscription(Protocol):
    """One consumer's share of a topic within its group."""

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return up to `most` messages, at once if there are any, else after waiting at most `wait_s` seconds.

        What a consumer of the group that died has left unsettled comes here too. Raises Unavailable.
        """
        ...

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Be done with messages, so that they are not delivered again. Raises Unavailable; then try again.

        Of those that this consumer has lost meanwhile (with its connection, or to another) nothing is done: they come
        again.
        """
        ...

    async def hand_back(self, deliveries: Sequence[Delivery]) -> None:
        """Give messages back: they are delivered again, here or elsewhere. Raises Unavailable."""
        ...

    async def bury(self, deliveries: Sequence[Delivery], reason: str) -> None:
        """Move messages that nobody can read to the topic's dead-letter place, with the reason. Raises Unavailable."""
        ...


class PlainSubscription(Protocol):
    """Messages that others have published, in a form of their own. `message_id` is where the broker has one, or the id
    that its publisher gave it; empty where there is neither.
    """

    async def receive(self, most: int, wait_s: float) -> list[Delivery]:
        """Return up to `most` messages, after waiting at most `wait_s` seconds for the first. What was received before
        must be settled: what is not, comes again to whoever subscribes next. Raises Unavailable, Misconfigured.
        """
        ...

    async def settle(self, deliveries: Sequence[Delivery]) -> None:
        """Be done with the first of what was received and is not settled. Raises Unavailable."""
        ...


class Broker(Protocol):
    """A connection to a broker, shared by a process. Reconnects by itself."""

    most_bytes: int
    """The largest body that it carries. What is larger travels by claim check."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when the broker holds all of them durably, as far as it promises that. Raises Unavailable, TooLarge."""
        ...

    async def publish_plain(self, topic: str, messages: Sequence[Message]) -> None:
        """Write to a topic that others read with clients of their own: a stream of Redis, a queue of RabbitMQ, a topic
        of Kafka, of that very name; it is created. Returns and raises as `publish` does. Those of a key keep their order.
        """
        ...

    def subscribe(self, topic: str, group: str, consumer: str) -> AbstractAsyncContextManager[Subscription]:
        """Take part in the group that shares the messages of a topic; the first `receive` joins it.

        Each group gets every message that is published from its first `receive` on. Messages of a key go to one consumer
        at a time; while consumers come and go, one may be delivered again. `consumer` is a name for logs.
        """
        ...

    def subscribe_plain(self, topic: str, group: str) -> AbstractAsyncContextManager[PlainSubscription]:
        """Read a topic of others: a stream of Redis, a queue of RabbitMQ, a topic of Kafka. It is not created. Of Redis
        and RabbitMQ one subscriber of a group at a time keeps the order; Kafka shares out its partitions.
        """
        ...

    async def dead(self, topic: str, most: int) -> list[tuple[Message, str]]:
        """Return what was buried, oldest first, with the reasons, and leave it there. Raises Unavailable."""
        ...

    async def check(self) -> str:
        """Return the server's name and version, for `knowlog doctor`. Raises Unavailable, Misconfigured."""
        ...

    async def clock(self) -> datetime | None:
        """What time the server has; None where it does not tell. Raises Unavailable, Misconfigured."""
        ...

    async def close(self) -> None:
        """Let go of all connections."""
        ...
