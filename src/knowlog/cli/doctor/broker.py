"""The broker that carries work from the outbox to the workers: the one that the running server uses, and where that
differs, the one that the settings here name.
"""

import asyncio
from collections.abc import AsyncIterator

from knowlog.bus import BrokerHealth, broker_health
from knowlog.cli.client import Client, Refused
from knowlog.cli.connection import server_url
from knowlog.cli.credentials import operator_key
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.cli.doctor.server import Target
from knowlog.database import WORTH_TELLING_S
from knowlog.kernel.errors import Unavailable
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "broker"
_NONE = "none; PostgreSQL is the queue"
_MEND = "Start the broker, or correct KNOWLOG_BUS_BROKER and KNOWLOG_BUS_URL."
_HERE = "broker named here"
_TIMEOUT_S = 30.0
_REMEDIES = {
    "appendonly no": "Start Redis with --appendonly yes; until then a restart delays work.",
    "maxmemory-policy": "Set maxmemory-policy to noeviction; until then Redis may drop announcements, which delays work.",
    "full (maxmemory": "Raise maxmemory; until then workers claim work from PostgreSQL.",
}
"""What to do where an answer of a broker holds these words."""


async def check_broker(settings: Settings, target: Target) -> AsyncIterator[Finding]:
    """Have the server ask its broker, and ask the one that the settings here name: alone where no server tells us, and
    besides where it is another, as before the queue is switched, or is not reached.
    """
    told = await asyncio.to_thread(_of_server, settings, target)
    here = await broker_health(settings.bus)
    health = told or here
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
    if told is not None and settings.bus.broker != "postgres" and (others or here.trouble):
        yield _judge(here, "", _HERE)
    if health.clock_ahead_s is not None and abs(health.clock_ahead_s) > WORTH_TELLING_S:
        yield warn(
            "clock of the broker",
            f"{abs(health.clock_ahead_s):.0f} s {'ahead of' if health.clock_ahead_s > 0 else 'behind'} who asks it",
            "Set it by NTP. No lease rests on it; the ids in its streams, and its own log, tell its time.",
        )
    if health.unreadable:
        yield warn(
            "unreadable",
            f"{counted(sum(health.unreadable.values()), 'message')} in the dead letters of"
            f" {', '.join(health.unreadable)}",
            "Somebody else publishes there, or workers of another version run; docs/guide/choosing-a-queue.md"
            " says how to read them.",
        )


def _judge(health: BrokerHealth, whose: str, part: str = _PART) -> Finding:
    if health.trouble is not None:
        return fail(part, f"{health.kind}{whose}: {health.trouble}", _MEND)
    if health.found is None:
        return ok(part, f"{_NONE}{whose}")
    remedies = [remedy for sign, remedy in _REMEDIES.items() if sign in health.found]
    if remedies:
        return warn(part, f"{health.found}{whose}", " ".join(remedies))
    return ok(part, f"{health.found}{whose}")


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
