"""`knowlog bench wrapping`: what deadline, bulkhead, retries and breaker cost a call while everything is well."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Annotated

import typer

from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.resilience import Guard, Policy, within

_ROUNDS = 5


def wrapping(
    calls: Annotated[int, typer.Option("--calls", min=100, help="Calls of each round.")] = 10_000,
    json: JsonFile = None,
) -> None:
    """Measure guarded calls of a function that does nothing, less bare ones: microseconds a call, the best of five
    rounds. No server is needed.
    """
    check_writable(json)
    publish(asyncio.run(_measure(calls)), json)


async def _measure(calls: int) -> Report:
    guard = Guard("measured", Policy(timeout_s=5, slow_s=2))

    async def bare() -> None:
        return None

    async def wrapped() -> None:
        await guard.run(bare)

    def wrapped_plain() -> None:
        guard.run_sync(_plain)

    with within(60 * 60):
        bare_us = min([await _us(bare, calls) for _ in range(_ROUNDS)])
        async_us = min([await _us(wrapped, calls) for _ in range(_ROUNDS)])
        sync_us = min(_us_plain(wrapped_plain, calls) for _ in range(_ROUNDS))
    figures = {"wrapping_us": async_us - bare_us, "wrapping_sync_us": sync_us}
    return Report(figures, {"calls": calls, "rounds": _ROUNDS})


def _plain() -> None:
    return None


async def _us(function: Callable[[], Awaitable[None]], calls: int) -> float:
    began = perf_counter()
    for _ in range(calls):
        await function()
    return (perf_counter() - began) / calls * 1e6


def _us_plain(function: Callable[[], None], calls: int) -> float:
    began = perf_counter()
    for _ in range(calls):
        function()
    return (perf_counter() - began) / calls * 1e6
