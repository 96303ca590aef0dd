"""Calls to RabbitMQ: in time, and with errors of ours. aiormq has two habits that must not reach anybody: it may never
end when it is cancelled, and it raises what it likes.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from aiormq import exceptions

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.lanes import FAILS_AFTER_S
from knowlog.kernel.errors import KnowlogError, Misconfigured

_REFUSED = (exceptions.AuthenticationError, exceptions.ChannelAccessRefused)
_WRONG = ("not found", "refused", "inequivalent arg")
"""What RabbitMQ says when settings are wrong, under codes that it also uses while it starts or recovers."""


async def all_in_time(sending: Sequence[Awaitable[Any]]) -> None:
    """Await all, also when one fails; then raise the first failure."""
    tasks = [asyncio.ensure_future(each) for each in sending]
    if not tasks:
        return
    await _wait(tasks, FAILS_AFTER_S)
    for task in tasks:
        _answer(task)


async def in_time(work: Awaitable[Any], timeout_s: float = FAILS_AFTER_S) -> Any:
    """Await an answer of RabbitMQ; what goes wrong is raised as one of our errors."""
    task = asyncio.ensure_future(work)
    await _wait([task], timeout_s)
    return _answer(task)


async def quietly(closing: Awaitable[Any]) -> None:
    """Close something; whether that succeeds is of no interest, and it is not waited for long."""
    task = asyncio.ensure_future(closing)
    task.add_done_callback(_forget)
    await _wait([task], 1)


async def _wait(tasks: Sequence[asyncio.Future[Any]], timeout_s: float) -> None:
    """Wait, and leave to itself what is not done in time: aiormq, when cancelled, still writes to the connection, and on
    a broken one that never ends.
    """
    try:
        await asyncio.wait(tasks, timeout=timeout_s)
    finally:
        for task in tasks:
            if not task.done():
                task.add_done_callback(_forget)
                task.cancel()


def _answer(task: asyncio.Future[Any]) -> Any:
    if not task.done():
        raise unavailable("RabbitMQ", "it does not answer")
    if task.cancelled():  # aiormq cancels what waits for a connection that breaks
        raise unavailable("RabbitMQ", "the connection was lost")
    try:
        return task.result()
    except Exception as error:  # a connection that breaks raises what it likes, bare Exception too
        raise _translated(error) from error


def _forget(task: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that asyncio does not complain that nobody did."""
    if not task.cancelled():
        task.exception()


def _translated(error: Exception) -> KnowlogError:
    wrong = isinstance(error, exceptions.ConnectionNotAllowed | exceptions.ChannelPreconditionFailed)
    if isinstance(error, _REFUSED) or (wrong and any(each in str(error) for each in _WRONG)):
        return Misconfigured(f"RabbitMQ refuses: {error}. Check KNOWLOG_BUS_URL and the rights of its user.")
    return unavailable("RabbitMQ", str(error) or "it does not answer")
