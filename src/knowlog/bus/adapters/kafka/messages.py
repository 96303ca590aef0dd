"""How a message looks in Kafka."""

from time import monotonic
from typing import Any

from knowlog.bus.adapters.lanes import FAILS_AFTER_S
from knowlog.bus.port import Delivery, Message

SLICE_S = 0.2
Partition = tuple[str, int]


def name_of(partition: Any) -> Partition:
    """What identifies a partition."""
    return partition.topic, partition.partition


def message_of(found: Any) -> Message:
    """A message of ours; of what a stranger has put into a topic as much as there is, for whoever reads it to refuse."""
    headers = dict(found.headers() or ())
    message_id = (headers.get("id") or b"").decode(errors="replace")
    return Message((found.key() or b"").decode(errors="replace"), message_id, found.value() or b"")


def own_delivery(found: Any) -> Delivery:
    """A message of ours, with its place as the receipt."""
    return Delivery(message_of(found), 1, ((found.topic(), found.partition()), found.offset()))


def plain_delivery(found: Any) -> Delivery:
    """A message of others: its id is its place, which no other message of the topic has."""
    headers = {name.lower(): (value or b"").decode(errors="replace") for name, value in found.headers() or ()}
    key = (found.key() or b"").decode(errors="replace")
    message = Message(key, f"{found.partition()}-{found.offset()}", found.value() or b"")
    return Delivery(message, 1, ((found.topic(), found.partition()), found.offset()), headers)


def read_until(reader: Any, end: int) -> list[tuple[Message, str]]:
    """Read dead letters up to an offset, as far as they come in time."""
    read: list[tuple[Message, str]] = []
    deadline, position = monotonic() + FAILS_AFTER_S, -1
    while position + 1 < end and monotonic() < deadline:
        found = reader.poll(SLICE_S)
        if found is not None and found.error() is None and found.offset() < end:
            position = found.offset()
            read.append(
                (message_of(found), dict(found.headers() or ()).get("reason", b"").decode(errors="replace"))
            )
    return read
