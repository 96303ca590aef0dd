"""Every broker keeps the port's promises, on a real server, which is killed where it matters."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from time import monotonic
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from broker_scene import (
    CONSUMER,
    KINDS,
    PATIENCE_S,
    TAKEOVER_S,
    group,
    ids,
    message,
    opened,
    publish_until_it_works,
    share_out,
    take,
    until,
    using_up,
    write_as_stranger,
)

from knowlog.bus import Broker, BusSettings, Message, broker_health, connect_broker
from knowlog.bus.adapters.lanes import FAILS_AFTER_S, lane_of
from knowlog.kernel.errors import Misconfigured, TooLarge, Unavailable
from knowlog.kernel.tasks import asked_to_end
from servers import Running, running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session", params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """One server of each kind for all tests."""
    with running_server(request.param) as running:
        yield running


@pytest.fixture
async def broker(server: Running) -> AsyncIterator[Broker]:
    """A connection of this test's own."""
    broker = opened(server)
    yield broker
    await broker.close()


@pytest.fixture
def topic() -> str:
    return f"test.{uuid4().hex[:10]}"


async def test_what_was_published_is_received_as_it_was(broker: Broker, topic: str) -> None:
    """Key, id and body: empty ones, long ones, and of every script."""
    sent = [
        Message("", "m1", b""),
        Message("schlüssel/日本語 \U0001f511", "m2", bytes(range(256))),
        Message("k" * 300, "m3", b"x" * 100_000),
        Message("a\nb\tc", "m4", b"\x00"),
    ]
    async with group(broker, topic) as subscription:
        await broker.publish(topic, sent)
        found = await take(subscription, 4)
        await subscription.settle(found)
    assert sorted((each.message for each in found), key=lambda each: each.message_id) == sent
    assert {each.attempt for each in found} == {1}


async def test_nothing_to_receive_is_an_empty_list_in_time(broker: Broker, topic: str) -> None:
    """Not an error, and not much later than was asked for."""
    async with group(broker, topic) as subscription:
        began = monotonic()
        assert await subscription.receive(10, 0.3) == []
        assert 0.2 < monotonic() - began < TAKEOVER_S


async def test_publishing_nothing_is_nothing(broker: Broker, topic: str) -> None:
    """No error, and no message."""
    await broker.publish(topic, [])
    async with group(broker, topic) as subscription:
        assert await subscription.receive(1, 0.3) == []


async def test_what_is_published_plainly_is_read_as_a_topic_of_others(broker: Broker, topic: str) -> None:
    """Under the topic's very name, whole, each once; those of a key in order."""
    await broker.publish_plain(topic, [message(number, body=b"%d" % number) for number in range(20)])
    await broker.publish_plain(topic, [])
    found: list[bytes] = []
    async with broker.subscribe_plain(topic, "readers") as subscription, asyncio.timeout(PATIENCE_S):
        while len(found) < 20:
            got = await subscription.receive(10, 0.5)
            await subscription.settle(got)
            found += [each.message.body for each in got]
    assert found == [b"%d" % number for number in range(20)]


async def test_messages_of_a_key_stay_in_order(broker: Broker, topic: str) -> None:
    """3,000 messages of 50 keys, in many calls."""
    messages = [Message(f"key-{n % 50}", str(n), b"x" * 50) for n in range(3_000)]
    by_key: dict[str, list[int]] = defaultdict(list)
    async with group(broker, topic) as subscription:
        for start in range(0, 3_000, 500):
            await broker.publish(topic, messages[start : start + 500])
        received = 0
        while received < 3_000:
            found = await subscription.receive(500, PATIENCE_S)
            assert found, f"only {received} came"
            await subscription.settle(found)
            received += len(found)
            for each in found:
                by_key[each.message.key].append(int(each.message.message_id))
    assert all(numbers == sorted(numbers) for numbers in by_key.values())
    assert sum(map(len, by_key.values())) == 3_000


async def test_every_group_gets_every_message(broker: Broker, topic: str) -> None:
    """Whatever other groups do with it."""
    async with group(broker, topic, "alice") as alice, group(broker, topic, "bob") as bob:
        await broker.publish(topic, [message(n, f"k{n}") for n in range(30)])
        of_alice, of_bob = await take(alice, 30), await take(bob, 30)
        await alice.settle(of_alice)
        await bob.settle(of_bob)
    assert sorted(ids(of_alice)) == sorted(ids(of_bob)) == sorted(f"m{n}" for n in range(30))


async def test_a_group_shares_the_messages(server: Running, broker: Broker, topic: str) -> None:
    """Each goes to one consumer; both get some; all of a key go to the same one."""
    other = opened(server)
    async with group(broker, topic, consumer="one") as one, group(other, topic, consumer="two") as two:
        await share_out(broker, topic, one, two)
        async with using_up(one) as of_one, using_up(two) as of_two:
            await broker.publish(topic, [message(10_000 + n, f"k{n % 50}") for n in range(100)])
            await until(lambda: len(of_one) + len(of_two) >= 100)
    await other.close()
    assert of_one
    assert of_two
    assert sorted(of_one + of_two) == sorted(f"m{10_000 + n}" for n in range(100))
    assert not {int(each[1:]) % 50 for each in of_one} & {int(each[1:]) % 50 for each in of_two}


async def test_who_joins_gets_a_share_of_a_group_that_never_rests(
    server: Running, broker: Broker, topic: str
) -> None:
    """The first consumer gives up lanes although there is always more in them; nothing is lost."""
    other, sent = opened(server), 0
    of_two: list[str] = []

    async def publish_on() -> None:
        nonlocal sent
        while len(of_two) < 500:
            await broker.publish(topic, [message(sent + n, f"k{n}") for n in range(100)])
            sent += 100
            while sent > len(of_one) + len(of_two) + 1000:  # never at rest, and never far behind
                await asyncio.sleep(0.02)

    async with group(broker, topic) as one, using_up(one) as of_one:
        publisher = asyncio.create_task(publish_on())
        await until(lambda: len(of_one) > 500)
        async with other.subscribe(topic, "workers", "two") as two, using_up(two) as of_two:
            await publisher
            await until(lambda: len({*of_one, *of_two}) >= sent)
    await other.close()
    assert {*of_one, *of_two} == {f"m{number}" for number in range(sent)}


async def test_settled_messages_do_not_come_again(broker: Broker, topic: str) -> None:
    """Neither to this consumer nor to its successor; what was not settled does."""
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(n) for n in range(10)])
        found = await take(subscription, 10)
        await subscription.settle(found[:6])
    async with broker.subscribe(topic, "workers", "successor") as subscription:
        found = await take(subscription, 4)
        assert ids(found) == ["m6", "m7", "m8", "m9"]
        await subscription.settle(found)
        assert await subscription.receive(10, 0.5) == []


async def test_settling_out_of_order_loses_nothing(broker: Broker, topic: str) -> None:
    """What was given earlier and is not settled comes to the successor."""
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(n) for n in range(6)])
        found = await take(subscription, 6)
        await subscription.settle([found[5], found[1]])
        await subscription.settle([found[0]])
    async with broker.subscribe(topic, "workers", "successor") as subscription:
        again = await take(subscription, 3)
        assert ids(again) == ["m2", "m3", "m4"]
        assert not {"m0", "m1"} & set(ids(again))


async def test_what_is_handed_back_comes_again(broker: Broker, topic: str) -> None:
    """With a higher attempt, in order, and once."""
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(n) for n in range(5)])
        found = await take(subscription, 5)
        await subscription.settle(found[3:])
        await subscription.hand_back(found[:3])
        again = await take(subscription, 3)
        assert ids(again) == ["m0", "m1", "m2"]
        assert all(each.attempt > 1 for each in again)
        await subscription.settle(again)
        assert await subscription.receive(10, 0.5) == []


async def test_what_is_handed_back_at_the_end_goes_elsewhere(server: Running, topic: str) -> None:
    """As a worker does that is asked to stop: its successor need not wait for a lease."""
    broker = opened(server, takeover_s=2 * PATIENCE_S)
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(n) for n in range(5)])
        await subscription.hand_back(await take(subscription, 5))
    async with broker.subscribe(topic, "workers", "successor") as subscription:
        found = await take(subscription, 5)
        assert ids(found) == [f"m{n}" for n in range(5)]
        await subscription.settle(found)
    await broker.close()


async def test_a_poison_message_is_buried_with_its_reason(broker: Broker, topic: str) -> None:
    """It is out of the way, and can be looked at more than once."""
    poison = Message("k", "m1", b"\xff poison")
    async with group(broker, topic) as subscription:
        assert await broker.dead(topic, 10) == []
        await broker.publish(topic, [message(0), poison, message(2)])
        found = await take(subscription, 3)
        await subscription.bury([found[1]], "not JSON: später")
        await subscription.settle([found[0], found[2]])
        assert await subscription.receive(10, 0.5) == []
        await subscription.bury([], "nothing")
    assert await broker.dead(topic, 10) == [(poison, "not JSON: später")]
    assert await broker.dead(topic, 10) == [(poison, "not JSON: später")]


async def test_what_a_stranger_writes_into_a_lane_can_be_buried(
    server: Running, broker: Broker, topic: str
) -> None:
    """Without key, id or body, or with bytes that are no text: it is given out as far as it goes."""
    async with group(broker, topic) as subscription:
        await write_as_stranger(server, topic)
        await broker.publish(topic, [message(1)])
        found = await take(subscription, 2)
        (foreign,) = [each for each in found if each.message.message_id != "m1"]
        await subscription.bury([foreign], "not ours")
        await subscription.settle([each for each in found if each is not foreign])
    assert [reason for _, reason in await broker.dead(topic, 10)] == ["not ours"]


async def test_a_stranger_s_message_that_is_larger_than_ours_is_buried(server: Running) -> None:
    """Kafka takes more of others than is published here; what is kept says how large it was, and the lane goes on."""
    if server.kind != "kafka":
        pytest.skip("only Kafka's producers have a limit of their own")
    broker, topic = opened(server), f"test.{uuid4().hex[:10]}"
    async with (
        group(broker, topic) as subscription,
        AIOKafkaProducer(bootstrap_servers=server.url, max_request_size=2**20) as stranger,
    ):
        await stranger.send_and_wait(topic, b"x" * 1_020_000, key=b"k")
        await subscription.bury(await take(subscription, 1), "not ours.")
    ((kept, reason),) = await broker.dead(topic, 10)
    await broker.close()
    assert len(kept.body) == broker.most_bytes
    assert reason == "not ours. Of its 1,020,000 bytes the first 900,000 are kept."


async def test_the_dead_are_listed_oldest_first_up_to_a_number(broker: Broker, topic: str) -> None:
    """The rest stays."""
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(n) for n in range(20)])
        await subscription.bury(await take(subscription, 20), "all bad")
    assert [each.message_id for each, _ in await broker.dead(topic, 5)] == [f"m{n}" for n in range(5)]
    assert len(await broker.dead(topic, 100)) == 20


async def test_a_killed_consumer_loses_nothing(server: Running, broker: Broker, topic: str) -> None:
    """kill -9 of a real process that has received and not settled: another gets it all, marked or not."""
    async with broker.subscribe(topic, "workers", "first") as subscription:
        await subscription.receive(1, 0.2)
    doomed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CONSUMER, server.kind, server.url, topic, stdout=asyncio.subprocess.PIPE
    )
    assert doomed.stdout is not None
    await broker.publish(topic, [message(n, f"k{n % 7}") for n in range(20)])
    seen = {(await asyncio.wait_for(doomed.stdout.readline(), PATIENCE_S)).decode().strip() for _ in range(5)}
    doomed.send_signal(signal.SIGKILL)
    await doomed.wait()
    async with broker.subscribe(topic, "workers", "heir") as heir:
        began = monotonic()
        found = await take(heir, 20)
        await heir.settle(found)
    assert monotonic() - began < TAKEOVER_S * 4
    assert sorted(ids(found)) == sorted(f"m{n}" for n in range(20))
    assert seen <= set(ids(found))
    for key in {each.message.key for each in found}:
        numbers = [int(each.message.message_id[1:]) for each in found if each.message.key == key]
        assert numbers == sorted(numbers)


async def test_a_slow_consumer_neither_starves_others_nor_loses_its_own(
    server: Running, broker: Broker, topic: str
) -> None:
    """It holds what it has for longer than a takeover takes; meanwhile the other goes on."""
    other = opened(server)
    async with group(broker, topic, consumer="slow") as slow, group(other, topic, consumer="quick") as quick:
        await share_out(broker, topic, slow, quick)
        await broker.publish(topic, [message(10_000 + n, f"k{n}") for n in range(100)])
        held = await take(slow, 1)
        async with using_up(quick) as of_quick:
            for number in range(11_000, 11_900, 50):
                await broker.publish(topic, [message(number + n, f"k{n}") for n in range(50)])
                await asyncio.sleep(TAKEOVER_S * 1.5 / 18)
            await until(lambda: len(of_quick) > 200)
            async with using_up(slow) as of_slow:
                await slow.settle(held)
                await until(lambda: len(of_quick) + len(of_slow) + len(held) >= 1000)
            assert sorted(of_quick + of_slow + ids(held)) == sorted({*of_quick, *of_slow, *ids(held)})
    await other.close()


async def test_a_message_that_is_too_large_is_refused_alone(broker: Broker, topic: str) -> None:
    """Before anything of the call is sent; the connection goes on working, and the largest size passes."""
    async with group(broker, topic) as subscription:
        with pytest.raises(TooLarge, match="too large"):
            await broker.publish(topic, [message(0), message(1, body=b"x" * (broker.most_bytes + 1))])
        await broker.publish(topic, [message(2, body=os.urandom(broker.most_bytes))])
        found = await take(subscription, 1)
        await subscription.settle(found)
    assert ids(found) == ["m2"]
    assert len(found[0].message.body) == broker.most_bytes


async def test_a_killed_broker_loses_nothing_that_it_acknowledged(server: Running, topic: str) -> None:
    """kill -9 and start in mid-flight: publisher and consumer go on by themselves."""
    broker = opened(server)
    acknowledged: list[str] = []
    failures: list[str] = []
    numbers = iter(range(1_000_000))

    async def publish_on() -> None:
        while not asked_to_end():
            batch = [message(next(numbers), f"k{n}") for n in range(20)]
            try:
                await broker.publish(topic, batch)
                acknowledged.extend(each.message_id for each in batch)
            except Unavailable as error:
                failures.append(f"{monotonic():.1f} {error.detail}")
                await asyncio.sleep(0.1)

    async with group(broker, topic) as subscription, using_up(subscription) as received:
        publisher = asyncio.create_task(publish_on())
        await until(lambda: len(received) > 200)
        await asyncio.to_thread(server.killable.restart)
        count = len(acknowledged)
        await until(lambda: len(acknowledged) > count + 200 or publisher.done(), seen=failures)
        assert not publisher.done(), failures
        publisher.cancel()
        await asyncio.gather(publisher, return_exceptions=True)
        await until(lambda: set(acknowledged) <= set(received))
    await broker.close()


async def test_a_broker_that_is_down_is_unavailable_and_then_works_again(server: Running, topic: str) -> None:
    """The error comes in seconds; nothing needs to be opened anew."""
    broker = opened(server)
    async with group(broker, topic) as subscription:
        await broker.publish(topic, [message(0)])
        await asyncio.to_thread(server.killable.kill)
        try:
            for _ in range(2):
                began = monotonic()
                with pytest.raises(Unavailable, match="KNOWLOG_BUS_URL"):
                    await broker.publish(topic, [message(1)])
                assert monotonic() - began < 3 * FAILS_AFTER_S
            with pytest.raises(Unavailable):
                await broker.check()
        finally:
            await asyncio.to_thread(server.killable.start)
        await publish_until_it_works(broker, topic, message(2))
        async with using_up(subscription) as received:
            await until(lambda: {"m0", "m2"} <= set(received))
    await broker.close()


async def test_a_cancelled_receive_loses_nothing(broker: Broker, topic: str) -> None:
    """What it had fetched is given out by the next one."""
    async with group(broker, topic) as subscription:
        received: list[str] = []
        for number in range(30):
            waiting = asyncio.create_task(subscription.receive(10, 5))
            await asyncio.sleep(0.003 * (number % 5))
            await broker.publish(topic, [message(number)])
            waiting.cancel()
            for result in await asyncio.gather(waiting, return_exceptions=True):
                received += ids(result) if isinstance(result, list) else []
        received += ids(await take(subscription, 30 - len(received)))
    assert sorted(received) == sorted(f"m{n}" for n in range(30))


async def test_the_check_names_the_server(server: Running, broker: Broker) -> None:
    """For `knowlog doctor`, which has the server ask, and for which nothing on its topics is no trouble."""
    assert (await broker.check()).lower().startswith(server.kind)
    health = await broker_health(BusSettings(broker=server.kind, url=server.url))
    assert (health.kind, health.trouble, health.unreadable) == (server.kind, None, {})
    assert health.clock_ahead_s == (pytest.approx(0, abs=1) if server.kind == "redis" else None)


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_there_is_unavailable_in_time(kind: str) -> None:
    """The sentence names the setting."""
    url = {"redis": "redis://127.0.0.1:9/0", "rabbitmq": "amqp://127.0.0.1:9/", "kafka": "127.0.0.1:9"}[kind]
    broker = connect_broker(kind, url, BusSettings(broker=kind, url=url))
    began = monotonic()
    with pytest.raises(Unavailable, match="KNOWLOG_BUS_URL"):
        await broker.publish("topic", [message(0)])
    with pytest.raises(Unavailable, match="KNOWLOG_BUS_URL"):
        await broker.check()
    assert monotonic() - began < 6 * FAILS_AFTER_S
    await broker.close()


@pytest.mark.parametrize("kind", KINDS)
def test_an_address_of_something_else_is_told(kind: str) -> None:
    """The sentence names the setting and what it should look like."""
    with pytest.raises(Misconfigured, match="KNOWLOG_BUS_URL"):
        connect_broker(kind, "ftp://example", BusSettings(broker=kind, url="ftp://example"))


def test_lanes_are_used_evenly() -> None:
    """And an empty key has one."""
    counts = defaultdict(int)
    for number in range(16_000):
        counts[lane_of(f"key-{number}")] += 1
    assert len(counts) == 16
    assert max(counts.values()) < 1_300
    assert lane_of("") in range(16)
