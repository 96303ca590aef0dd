"""How the broker is that carries work from the outbox to the workers."""

import asyncio
from dataclasses import dataclass, field

from knowlog.bus.catalogue import QUEUES
from knowlog.bus.port import Broker
from knowlog.bus.registry import open_broker
from knowlog.bus.settings import BusSettings
from knowlog.database import beyond
from knowlog.kernel import now
from knowlog.kernel.errors import KnowlogError

_MOST_BURIED = 1000


@dataclass(frozen=True, slots=True)
class BrokerHealth:
    """Which broker it is (`postgres`: none), what it calls itself, what is wrong with it, and how many messages on each
    topic of work nobody could read, up to 1000 and as far as they are kept. `clock_ahead_s`: by how much its clock is
    ahead of the asking process's; null where it does not tell.
    """

    kind: str
    found: str | None = None
    trouble: str | None = None
    unreadable: dict[str, int] = field(default_factory=dict)
    clock_ahead_s: float | None = None


async def broker_health(settings: BusSettings) -> BrokerHealth:
    """Ask the broker for its name and version, as a worker would reach it."""
    try:
        broker = open_broker(settings)
    except KnowlogError as error:
        return BrokerHealth(settings.broker, trouble=error.detail)
    if broker is None:
        return BrokerHealth(settings.broker)
    try:
        found, unreadable = await broker.check(), await _buried(broker, settings)
        return BrokerHealth(settings.broker, found, None, unreadable, await _clock_ahead_s(broker))
    except KnowlogError as error:
        return BrokerHealth(settings.broker, trouble=error.detail)
    finally:
        await broker.close()


async def _clock_ahead_s(broker: Broker) -> float | None:
    before, there = now(), await broker.clock()
    return None if there is None else -beyond(before, there, now())


async def _buried(broker: Broker, settings: BusSettings) -> dict[str, int]:
    topics = [settings.work_topic(queue) for queue in sorted(set(QUEUES.values()))]
    found = await asyncio.gather(*(broker.dead(topic, _MOST_BURIED) for topic in topics))
    return {topic: len(each) for topic, each in zip(topics, found, strict=True) if each}
