"""What the streams of a topic are called, and how a message of ours looks in one."""

from collections.abc import Iterable, Sequence

from knowlog.bus.port import Delivery, Message

PIPELINED = 500


def lane_name(topic: str, lane: int) -> str:
    """The stream of a lane. The braces keep all that belongs to a topic on one node of a cluster."""
    return f"{{{topic}}}:{lane}"


def dead_name(topic: str) -> str:
    """The stream of what nobody could read."""
    return f"{{{topic}}}:dead"


def message_of(fields: dict[bytes, bytes]) -> Message:
    """A message of ours; of what a stranger has put into a lane as much as there is, for whoever reads it to refuse."""
    key, message_id = (fields.get(name, b"").decode(errors="replace") for name in (b"k", b"i"))
    return Message(key, message_id, fields.get(b"b", b""))


def by_lane(deliveries: Iterable[Delivery]) -> dict[int, list[bytes]]:
    """The entries of each lane."""
    found: dict[int, list[bytes]] = {}
    for each in deliveries:
        found.setdefault(each.receipt[0], []).append(each.receipt[1])
    return found


def order_of(entry: bytes) -> tuple[int, int]:
    """The id of an entry as numbers that can be compared."""
    milliseconds, _, number = entry.partition(b"-")
    return int(milliseconds), int(number)


def portions(messages: Sequence[Message], most_bytes: int) -> Iterable[list[Message]]:
    """Parts that are written in one go: not too many, and not too large for the time that a call may take."""
    some: list[Message] = []
    size = 0
    for message in messages:
        if some and (len(some) >= PIPELINED or size + len(message.body) > most_bytes):
            yield some
            some, size = [], 0
        some.append(message)
        size += len(message.body)
    if some:
        yield some
