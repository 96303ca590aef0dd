"""The broker that carries work from the outbox to the workers, where one is set."""

import asyncio
from collections.abc import AsyncIterator

from knowlog.bus import QUEUES, Broker, open_broker
from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.settings import Settings

_MOST_BURIED = 1000


async def check_broker(settings: Settings) -> AsyncIterator[Finding]:
    """Ask the broker for its name and version, as a worker would reach it."""
    broker = open_broker(settings.bus)
    if broker is None:
        yield _without(settings)
        return
    try:
        found = await broker.check()
        buried = await _buried(broker, settings)
    finally:
        await broker.close()
    if "appendonly no" in found:
        yield warn("broker", found, "Start Redis with --appendonly yes; until then a restart delays work.")
    else:
        yield ok("broker", found)
    if buried:
        yield warn(
            "unreadable",
            f"{sum(buried.values())} messages in the dead letters of {', '.join(buried)}",
            "Somebody else publishes there, or workers of another version run; docs/guide/choosing-a-queue.md"
            " says how to read them.",
        )


def _without(settings: Settings) -> Finding:
    found = "none; PostgreSQL is the queue"
    if settings.bus.url is None:
        return ok("broker", found)
    return warn(
        "broker",
        f"{found}, although KNOWLOG_BUS_URL is set",
        "Set KNOWLOG_BUS_BROKER to redis, rabbitmq or kafka; or leave KNOWLOG_BUS_URL out.",
    )


async def _buried(broker: Broker, settings: Settings) -> dict[str, int]:
    """How many messages on each topic of work nobody could read, as far as they are still kept."""
    topics = [settings.bus.work_topic(queue) for queue in sorted(set(QUEUES.values()))]
    found = await asyncio.gather(*(broker.dead(topic, _MOST_BURIED) for topic in topics))
    return {topic: len(each) for topic, each in zip(topics, found, strict=True) if each}
