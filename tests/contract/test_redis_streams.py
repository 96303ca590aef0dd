"""What the adapter for Redis does beyond the port: its memory stays bounded."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from knowlog.bus import BusSettings, Message
from knowlog.bus.adapters.lanes import LANES
from knowlog.bus.adapters.redis import RedisBroker, lane_name
from knowlog.kernel.errors import Misconfigured
from servers import running_server


@pytest.fixture(scope="module")
async def broker() -> AsyncIterator[RedisBroker]:
    with running_server("redis") as server:
        broker = RedisBroker(server.url, BusSettings(broker="redis", url=server.url))
        yield broker
        await broker.close()


async def kept(broker: RedisBroker, topic: str) -> int:
    return sum([await broker.redis.xlen(lane_name(topic, lane)) for lane in range(LANES)])


async def use_up(broker: RedisBroker, topic: str, group: str, count: int) -> None:
    async with broker.subscribe(topic, group, "one") as subscription:
        while count:
            found = await subscription.receive(500, 90)
            assert found
            await subscription.settle(found)
            count -= len(found)


async def test_what_all_groups_have_settled_is_trimmed(broker: RedisBroker) -> None:
    """And nothing of what one of them has not read."""
    topic = f"test.{uuid4().hex[:8]}"
    for group in ("alice", "bob"):
        async with broker.subscribe(topic, group, "first") as subscription:
            await subscription.receive(1, 0.1)
    await broker.publish(topic, [Message(f"k{n}", str(n), b"x") for n in range(2000)])
    await use_up(broker, topic, "alice", 2000)
    assert await kept(broker, topic) == 2000
    await use_up(broker, topic, "bob", 2000)
    assert await kept(broker, topic) <= LANES


async def test_what_is_pending_is_not_trimmed(broker: RedisBroker) -> None:
    """A message that is held by somebody stays until it is settled."""
    topic = f"test.{uuid4().hex[:8]}"
    async with broker.subscribe(topic, "workers", "one") as subscription:
        await subscription.receive(1, 0.1)
        await broker.publish(topic, [Message("k", str(n), b"x") for n in range(10)])
        found = await subscription.receive(10, 5)
        await subscription.settle(found[:4])
    assert await kept(broker, topic) == 6


async def test_a_key_that_is_no_stream_is_told(broker: RedisBroker) -> None:
    """With what to do; a plain reader and one of lanes say it alike."""
    topic = f"test.{uuid4().hex[:8]}"
    for key in (topic, lane_name(topic, 5)):
        await broker.redis.set(key, "something else")
    async with (
        broker.subscribe_plain(topic, "workers") as plain,
        broker.subscribe(topic, "workers", "one") as own,
    ):
        for each in (plain, own):
            with pytest.raises(Misconfigured, match="holds another kind of value"):
                await each.receive(1, 0.1)


async def test_a_stream_of_others_is_read_in_bytes_too(broker: RedisBroker) -> None:
    """However many messages are asked for: large ones come few at a time, small ones together, all in their order."""
    stream = f"test.{uuid4().hex[:8]}"
    for size in [5 * 2**20] * 10 + [1] * 30:
        await broker.redis.xadd(stream, {"data": b"x" * size})
    async with broker.subscribe_plain(stream, "g") as subscription:
        first = await subscription.receive(100, 5)
        rest = await subscription.receive(100, 5)
    assert (len(first), len(rest)) == (8, 32)
    places = [each.message.message_id for each in [*first, *rest]]
    assert places == sorted(places, key=lambda place: tuple(map(int, place.split("-"))))
