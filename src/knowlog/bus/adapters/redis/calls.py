"""Calls to Redis: in time, and with errors of ours."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from redis import exceptions

from knowlog.bus.adapters.failing import unavailable
from knowlog.bus.adapters.lanes import FAILS_AFTER_S
from knowlog.kernel.errors import KnowlogError, Misconfigured, TooLarge


async def in_time(work: Awaitable[Any], timeout_s: float = FAILS_AFTER_S) -> Any:
    """Await an answer of Redis; what goes wrong is raised as one of our errors.

    A cancellation that meets the client while it connects comes out as an error of the connection; it stays one here.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        async with asyncio.timeout(timeout_s):
            return await work
    except (exceptions.RedisError, OSError) as error:  # a TimeoutError is an OSError
        if task and task.cancelling() > before:
            raise asyncio.CancelledError from error
        raise translated(error) from error


def translated(error: Exception) -> KnowlogError:
    """Redis's error as one of ours."""
    if isinstance(error, exceptions.AuthenticationError | exceptions.NoPermissionError):
        return Misconfigured(
            f"Redis refuses: {str(error).rstrip('.')}. Check user and password in KNOWLOG_BUS_URL."
        )
    if isinstance(error, exceptions.ResponseError) and "exceeds" in str(error):
        return TooLarge("A message is larger than Redis takes. Store the content and send a reference.")
    if isinstance(error, exceptions.ResponseError) and "WRONGTYPE" in str(error):
        return Misconfigured(
            "A key of Redis that should be a stream holds another kind of value. Name another stream, or another"
            " database of Redis in KNOWLOG_BUS_URL (redis://host:port/1)."
        )
    why = str(error) or "it does not answer"
    return unavailable("Redis", why)
