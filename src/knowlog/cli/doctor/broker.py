"""The broker that carries work from the outbox to the workers, where one is set."""

from collections.abc import AsyncIterator

from knowlog.bus import open_broker
from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.settings import Settings


async def check_broker(settings: Settings) -> AsyncIterator[Finding]:
    """Ask the broker for its name and version, as a worker would reach it."""
    broker = open_broker(settings.bus)
    if broker is None:
        yield ok("broker", "none; PostgreSQL is the queue")
        return
    try:
        found = await broker.check()
    finally:
        await broker.close()
    if "appendonly no" in found:
        yield warn("broker", found, "Start Redis with --appendonly yes; until then a restart delays work.")
    else:
        yield ok("broker", found)
