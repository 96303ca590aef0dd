"""Clocks: those of this machine, of the server and of workers, beside the database's, by which leases and waits go."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

from knowlog.cli.client import Client
from knowlog.cli.connection import server_url
from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.cli.doctor.server import Target
from knowlog.database import WORTH_TELLING_S, Clock, beyond, seconds_ahead
from knowlog.kernel import now
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings

_PART = "clocks"
_TOO_FAR_S = 60.0
"""What one server has signed, another takes if their clocks differ by less; codes of second factors bear half of it."""
_FRESH = timedelta(seconds=90)
"""A worker whose clock is off says so every 30 seconds."""
_TIMEOUT_S = 10.0
_WHOLE = timedelta(seconds=2)
"""The time in an answer is of whole seconds, and may have been made a second ago."""
_MEND = "Set the clocks by NTP (`timedatectl set-ntp true`)"


async def check_clocks(settings: Settings, target: Target, clock: Clock = now) -> AsyncIterator[Finding]:
    """Compare every clock that tells its time with the database's. `clock` is this machine's."""
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        here_s = await seconds_ahead(connection, clock)
        ahead = {"this machine": here_s, "a worker": await _of_workers(connection)}
    finally:
        await connection.close()
    beside_s = await asyncio.to_thread(_of_server, settings, target, clock)
    ahead["the server"] = None if beside_s is None else here_s + beside_s
    yield judge_clocks({whose: off_s for whose, off_s in ahead.items() if off_s is not None})


def judge_clocks(ahead: Mapping[str, float]) -> Finding:
    """Say what it means that clocks are so many seconds ahead of the database's, or behind it."""
    off = {whose: off_s for whose, off_s in ahead.items() if abs(off_s) > WORTH_TELLING_S}
    if not off:
        return ok(_PART, f"{', '.join(ahead)}: as the database's")
    told = (
        f"{whose} is {abs(off_s):.0f} s {'ahead' if off_s > 0 else 'behind'}" for whose, off_s in off.items()
    )
    found = f"{', '.join(told)}, by the database's clock"
    if max(map(abs, off.values())) > _TOO_FAR_S:
        return fail(
            _PART, f"{found}: sessions, sign-ons and codes of second factors are refused there",
            f"{_MEND}, and restart what runs there.",
        )  # fmt: skip
    return warn(
        _PART, f"{found}: what is listed by time comes out of order",
        f"{_MEND}: from {_TOO_FAR_S:.0f} s on, sessions and sign-ons are refused.",
    )  # fmt: skip


async def _of_workers(connection: Any) -> float | None:
    """By how much the clock of a worker is ahead, if one has said lately that it is off."""
    if await connection.fetchval("select to_regprocedure('knowlog.clock_ahead_s(interval)')") is None:
        return None
    async with connection.transaction():
        await connection.execute("set local role knowlog_system")
        ahead_s: float | None = await connection.fetchval("select knowlog.clock_ahead_s($1)", _FRESH)
        return ahead_s


def _of_server(settings: Settings, target: Target, clock: Clock) -> float | None:
    """By how much the server's clock is ahead of this machine's; None where none answers."""
    try:
        with Client(server_url(settings, target.url), None, timeout_s=_TIMEOUT_S) as client:
            before = clock()
            there = client.clock()
            return None if there is None else -beyond(before - _WHOLE, there, clock())
    except KnowlogError:
        return None
