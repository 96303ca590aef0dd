"""Rounds over things of many tenants: what fails with one of them does not hold up the others."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from knowlog.kernel.errors import KnowlogError

_LOG = logging.getLogger("knowlog.worker")
Item = TypeVar("Item")
Result = TypeVar("Result")


async def one_by_one(items: Iterable[Item], step: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """Do the step for each item, and return what came of those that succeeded; the others come again in a later round.

    Raises the first error when it failed for all: then the fault is hardly with the items.
    """
    done: list[Result] = []
    first: Exception | None = None
    for item in items:
        try:
            done.append(await step(item))
        except Exception as error:
            _log(error)
            first = first or error
    if first is not None and not done:
        raise first
    return done


def _log(error: Exception) -> None:
    if isinstance(error, KnowlogError):
        _LOG.warning("one of many has failed, the others go on: %s", error.detail)
    else:
        _LOG.error("one of many has failed, the others go on", exc_info=error)
