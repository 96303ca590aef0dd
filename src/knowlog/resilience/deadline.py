"""The deadline that travels with a request, through everything that is called for it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from functools import wraps
from inspect import iscoroutinefunction
from time import monotonic
from typing import Any, TypeVar, cast, overload

from knowlog.kernel.errors import Unavailable

Function = TypeVar("Function", bound=Callable[..., Any])

_ENDS_AT: ContextVar[float | None] = ContextVar("deadline", default=None)
_MARGIN_S = 0.01
"""So much earlier a limit inside another one ends: who is nearest to what is slow has to learn of it."""


class DeadlinePassed(Unavailable):
    """There was no time left for it."""

    code = "deadline-passed"


def remaining_s() -> float | None:
    """The seconds that are left of the request in whose context this runs, 0 at least; None without a deadline."""
    ends_at = _ENDS_AT.get()
    return None if ends_at is None else max(0.0, ends_at - monotonic())


def begin(seconds: float) -> None:
    """Give all that runs in this context, from now on, so many seconds; never more than it had."""
    _ENDS_AT.set(_earlier(seconds))


def no_deadline() -> None:
    """A request begins: it has nothing of the time of one that ran in this context before."""
    _ENDS_AT.set(None)


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """As `begin`, for a block. It cuts off nothing itself; None changes nothing. Raises DeadlinePassed at its begin."""
    ends_at = _earlier(seconds)
    if ends_at is not None and ends_at <= monotonic():
        raise DeadlinePassed("There was no time left to ask. Try again, or allow more time.")
    token = _ENDS_AT.set(ends_at)
    try:
        yield
    finally:
        _ENDS_AT.reset(token)


@asynccontextmanager
async def time_limit(seconds: float | None, what: str) -> AsyncIterator[None]:
    """Cut the block off after so many seconds, or at the deadline if that is earlier. Raises DeadlinePassed: `what`
    begins its sentence.
    """
    with within(seconds):
        left_s, ends_at = remaining_s(), _ENDS_AT.get()
        token = _ENDS_AT.set(ends_at and ends_at - _MARGIN_S)
        try:
            async with asyncio.timeout(left_s):
                yield
        except TimeoutError as error:
            raise DeadlinePassed(f"{what} did not answer in time. Try again in a moment.") from error
        finally:
            _ENDS_AT.reset(token)


@overload
def deadline(function: Function, /) -> Function: ...
@overload
def deadline(seconds: float | None = None, /) -> Callable[[Function], Function]: ...
def deadline(given: Any = None, /) -> Any:
    """Hold a function to the deadline in force, or to `seconds` of its own: `@deadline`, `@deadline(2.5)`.

    A coroutine is cut off; a plain function is only not begun too late, and what it calls knows what is left.
    """
    if callable(given):
        return _held(given, None)
    return lambda function: _held(function, given)


def _held(function: Function, seconds: float | None) -> Function:
    name = f"The call {getattr(function, '__qualname__', function)}"

    @wraps(function)
    async def awaited(*args: Any, **kwargs: Any) -> Any:
        async with time_limit(seconds, name):
            return await function(*args, **kwargs)

    @wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        with within(seconds):
            return function(*args, **kwargs)

    return cast("Function", awaited if iscoroutinefunction(function) else called)


def _earlier(seconds: float | None) -> float | None:
    before = _ENDS_AT.get()
    if seconds is None:
        return before
    wanted = monotonic() + seconds
    return wanted if before is None else min(before, wanted)
