"""The patience with the search by words: what takes too long is left out, and the passages are found by meaning alone."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar, cast
from uuid import UUID

from knowlog.kernel.errors import Unavailable
from knowlog.resilience import (
    BulkheadFull,
    CircuitOpen,
    DeadlinePassed,
    GuardsApart,
    Policy,
    remaining_s,
    within,
)

Given = ParamSpec("Given")
Result = TypeVar("Result")

PATIENCE_S = 3.0
_NAME = "search by words"
GUARDS = GuardsApart(
    "searches by words", Policy(timeout_s=PATIENCE_S, slow_s=PATIENCE_S, at_once=1000, attempts=1)
)
WITHOUT_WORDS = (
    "The search by words took too long and was left out: passages were found by their meaning alone."
)


class WordsTooSlow(Unavailable):
    """The search by words did not end in time, or is left alone because it lately did not."""

    code = "words-too-slow"


async def in_time(
    tenant_id: UUID, search: Callable[Given, Awaitable[Result]], *args: Given.args, **kwargs: Given.kwargs
) -> Result:
    """Search by words, within half of the time that is left; each tenant has its own breaker. Raises WordsTooSlow."""
    left_s = remaining_s()
    wrong: list[Exception] = []

    async def searched() -> Result | None:
        try:
            return await search(*args, **kwargs)
        except (
            Exception
        ) as error:  # it is the database's, or the tenant's state: it tells nothing of the words
            wrong.append(error)
            return None

    try:
        with within(None if left_s is None else left_s / 2):
            found = await GUARDS.of(tenant_id, _NAME).run(searched)
    except (DeadlinePassed, CircuitOpen, BulkheadFull) as error:
        raise WordsTooSlow(f"{error.detail} Ask something shorter, or in fewer collections.") from error
    if wrong:
        raise wrong[0]
    return cast("Result", found)
