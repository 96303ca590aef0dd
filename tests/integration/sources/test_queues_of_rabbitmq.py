"""What only a queue of RabbitMQ can do to its readers: it sends ahead, and carries properties that cannot be decoded."""

import struct
from datetime import UTC, datetime
from uuid import uuid4

import aio_pika
import pytest
from pamqp import encode
from sources_scene import Scene, until

from at_work import all_at_work
from knowlog.bootstrap import App
from knowlog.bus import BusSettings, connect_broker
from knowlog.kernel.errors import Unavailable
from servers import Running

pytestmark = pytest.mark.parametrize("server", ["rabbitmq"], indirect=True)


@pytest.mark.parametrize("kind", ["classic", "quorum"])
async def test_nobody_reads_on_while_another_holds_what_was_sent_ahead(server: Running, kind: str) -> None:
    """The second reader begins when the first is gone, with the first message that is not settled."""
    topic, broker = f"shop.{uuid4().hex[:10]}", connect_broker("rabbitmq", server.url, BusSettings())
    async with await aio_pika.connect(server.url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(topic, durable=True, arguments={"x-queue-type": kind})
        for number in range(30):
            message = aio_pika.Message(b"%d" % number)
            await channel.default_exchange.publish(message, routing_key=topic)
    async with broker.subscribe_plain(topic, "g") as second:
        async with broker.subscribe_plain(topic, "g") as first:
            await first.settle(await first.receive(1, 5))
            assert await first.receive(10, 5)
            with pytest.raises(Unavailable, match="has another consumer"):
                await second.receive(10, 0.5)
        found = await second.receive(1, 10)
    assert found[0].message.body == b"1"


async def send_undecodable(server: Running, topic: str, what: str) -> None:
    """As clients do that count microseconds, or write Latin-1."""
    poison = "POISON"
    with pytest.MonkeyPatch.context() as patch:
        usual = encode.short_string
        short = lambda value: b"\x04M\xfcll" if value == poison else usual(value)  # noqa: E731
        patch.setattr(encode, "short_string", short)
        patch.setitem(encode.METHODS, "timestamp", lambda _: struct.pack(">Q", 1_763_780_000_000_000))
        message = aio_pika.Message(
            what.encode(),
            headers={poison: "x"} if what == "key" else {},
            timestamp=datetime(2026, 1, 1, tzinfo=UTC) if what == "timestamp" else None,
        )
        async with await aio_pika.connect(server.url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(message, routing_key=topic)


async def test_properties_that_cannot_be_decoded_harm_no_neighbour(
    app: App, scene: Scene, server: Running
) -> None:
    """Each such message is a dead letter that says why; the connection holds, and what is around it is taken once."""
    await scene.submit("1", "a", "One.")
    for what in ("timestamp", "key"):
        await send_undecodable(server, scene.topic, what)
    await scene.submit("2", "b", "Two.")
    async with all_at_work(app):

        async def settled() -> bool:
            state = await scene.now()
            return (state.taken, state.dead) == (2, 2)

        await until(settled, 20)
    assert all("properties cannot be decoded" in each.cause for each in await scene.dead())
    assert (await scene.now()).repeated == 0
