"""A guard stands before one dependency, or one provider of it: bulkhead, retries, breaker and time limit, in this order.

There is one guard for each name in a process, whoever asks: what one caller has learnt of a provider holds for all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from inspect import iscoroutinefunction
from threading import Lock
from time import sleep
from typing import Any, ParamSpec, Protocol, TypeVar, cast, overload, runtime_checkable

from knowlog.kernel.errors import KnowlogError, Unavailable
from knowlog.resilience.breaker import Breaker, State
from knowlog.resilience.deadline import Function, time_limit, within
from knowlog.resilience.retrying import RetryBudget, Worth

Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Policy:
    """What a guard allows: seconds for a call (None: the deadline alone), seconds from which one counts as slow, calls at
    the same time, and attempts of each (1: none is repeated).
    """

    timeout_s: float | None = None
    slow_s: float = float("inf")
    at_once: int = 64
    attempts: int = 2


class BulkheadFull(Unavailable):
    """So many calls are under way that another would only wait."""

    code = "bulkhead-full"


class Bulkhead:
    """Lets so many calls be under way at the same time, and no more: who is too many is told at once."""

    def __init__(self, name: str, at_once: int) -> None:
        self.under_way = 0
        self.refused = 0
        self._name = name
        self._at_once = at_once
        self._lock = Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for the block. Raises BulkheadFull."""
        with self._lock:
            if self.under_way >= self._at_once:
                self.refused += 1
                raise BulkheadFull(
                    f"The {self._name} is answering {self._at_once} calls already. Try again in a moment.",
                    retry_after_s=1,
                )
            self.under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self.under_way -= 1


@dataclass(frozen=True, slots=True)
class Dependency:
    """How a guard sees what it stands before: the share of bad calls among the last, and counts since the start."""

    name: str
    state: State
    left_alone: bool
    bad_share: float
    opened: int
    refused: int
    retried: int
    under_way: int


class Guard:
    """See the module. As a decorator it guards a function, or a coroutine function, in its own form."""

    def __init__(self, name: str, policy: Policy) -> None:
        self.name = name
        self.policy = policy
        self._what = f"The {name}"
        self.breaker = Breaker(name, policy.slow_s)
        self.bulkhead = Bulkhead(name, policy.at_once)
        self.budget = RetryBudget()

    def __call__(self, function: Function) -> Function:
        """Guard a function."""

        @wraps(function)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            return await self.run(function, *args, **kwargs)

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            return self.run_sync(function, *args, **kwargs)

        return cast("Function", awaited if iscoroutinefunction(function) else called)

    async def run(
        self, function: Callable[Given, Awaitable[Result]], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Call and await. Raises BulkheadFull, CircuitOpen, DeadlinePassed and what the function raises."""
        with self.bulkhead.place():
            worth = self._worth()
            while True:
                try:
                    with self.breaker.watch() as most_s:
                        async with time_limit(_sooner(self.policy.timeout_s, most_s), self._what):
                            return await function(*args, **kwargs)
                except KnowlogError as error:
                    await asyncio.sleep(worth.wait_s(error))

    def run_sync(
        self, function: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Call. As `run`, but nothing is cut off: the function itself has to keep to `remaining_s`."""
        with self.bulkhead.place():
            worth = self._worth()
            while True:
                try:
                    with self.breaker.watch() as most_s, within(_sooner(self.policy.timeout_s, most_s)):
                        return function(*args, **kwargs)
                except KnowlogError as error:
                    sleep(worth.wait_s(error))

    def look(self) -> Dependency:
        """How it stands."""
        breaker = self.breaker
        refused = breaker.refused + self.bulkhead.refused
        return Dependency(
            self.name, breaker.state, breaker.left_alone, breaker.bad_share, breaker.opened, refused, self.budget.retried,
            self.bulkhead.under_way,
        )  # fmt: skip

    def _worth(self) -> Worth:
        self.budget.earn()
        return Worth(self.budget, self.policy.attempts)


def _sooner(one: float | None, other: float | None) -> float | None:
    """The lesser of two limits, of which None is none."""
    return min((each for each in (one, other) if each is not None), default=None)


@runtime_checkable
class Guarded(Protocol):
    """Something of ours that asks a dependency through its guard."""

    @property
    def guard(self) -> Guard:
        """Return the guard."""
        ...


_GUARDS: dict[str, Guard] = {}
_MAKING = Lock()
_DEFAULT = Policy()


def guard_of(name: str, policy: Policy = _DEFAULT) -> Guard:
    """Return the guard of this name, made at the first call; a guard made with another policy is replaced."""
    with _MAKING:
        found = _GUARDS.get(name)
        if found is None or found.policy != policy:
            found = _GUARDS[name] = Guard(name, policy)
        return found


def forget_guard(guard: Guard) -> None:
    """What stands behind it is not asked any more."""
    with _MAKING:
        if _GUARDS.get(guard.name) is guard:
            del _GUARDS[guard.name]


def dependencies() -> list[Dependency]:
    """How every dependency of this process that was asked so far stands, by name."""
    return [_GUARDS[name].look() for name in sorted(_GUARDS)]


@overload
def guarded(function: Function, /) -> Function: ...
@overload
def guarded(*, name: str = "", policy: Policy = _DEFAULT) -> Callable[[Function], Function]: ...
def guarded(function: Any = None, /, *, name: str = "", policy: Policy = _DEFAULT) -> Any:
    """Guard a function: `@guarded`, under its own name, or `@guarded(name=..., policy=...)`."""

    def decorate(inner: Function) -> Function:
        return guard_of(name or inner.__qualname__, policy)(inner)

    return decorate if function is None else decorate(function)
