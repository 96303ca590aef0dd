"""The broker that carries work from the outbox to the workers: the one that the running server uses."""

import asyncio
from collections.abc import AsyncIterator

from knowlog.bus import BrokerHealth, broker_health
from knowlog.cli.client import Client, Refused
from knowlog.cli.connection import server_url
from knowlog.cli.credentials import operator_key
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.cli.doctor.server import Target
from knowlog.kernel.errors import Unavailable
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "broker"
_NONE = "none; PostgreSQL is the queue"
_MEND = "Start the broker, or correct KNOWLOG_BUS_BROKER and KNOWLOG_BUS_URL."
_TIMEOUT_S = 30.0


async def check_broker(settings: Settings, target: Target) -> AsyncIterator[Finding]:
    """Have the server ask its broker; where none runs, or none that tells us, ask the one that the settings here name."""
    told = await asyncio.to_thread(_of_server, settings, target)
    health = told or await broker_health(settings.bus)
    others = told is not None and told.kind != settings.bus.broker
    if health.kind == settings.bus.broker == "postgres" and settings.bus.url is not None:
        yield warn(
            _PART,
            f"{_NONE}, although KNOWLOG_BUS_URL is set",
            "Set KNOWLOG_BUS_BROKER to redis, rabbitmq or kafka; or leave KNOWLOG_BUS_URL out.",
        )
    else:
        yield _judge(
            health, f", says the server; the settings here name {settings.bus.broker}" if others else ""
        )
    if health.unreadable:
        yield warn(
            "unreadable",
            f"{counted(sum(health.unreadable.values()), 'message')} in the dead letters of"
            f" {', '.join(health.unreadable)}",
            "Somebody else publishes there, or workers of another version run; docs/guide/choosing-a-queue.md"
            " says how to read them.",
        )


def _judge(health: BrokerHealth, whose: str) -> Finding:
    if health.trouble is not None:
        return fail(_PART, f"{health.kind}{whose}: {health.trouble}", _MEND)
    if health.found is None:
        return ok(_PART, f"{_NONE}{whose}")
    if "appendonly no" in health.found:
        remedy = "Start Redis with --appendonly yes; until then a restart delays work."
        return warn(_PART, f"{health.found}{whose}", remedy)
    return ok(_PART, f"{health.found}{whose}")


def _of_server(settings: Settings, target: Target) -> BrokerHealth | None:
    """What the server says of its broker; None where none answers, or where there is no operator key for it."""
    given = settings.api.operator_key
    key = given.get_secret_value() if given else operator_key(settings.data_dir)
    if key is None:
        return None
    try:
        with Client(server_url(settings, target.url), key, timeout_s=_TIMEOUT_S) as client:
            return BrokerHealth(**client.get("/v1/queues/broker"))
    except (Refused, Unavailable):
        return None
