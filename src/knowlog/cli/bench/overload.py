"""`knowlog bench overload`: what is answered, and how fast, while several times as much is asked as can be."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from statistics import median
from time import perf_counter, process_time
from typing import Annotated

import typer

from knowlog.cli.bench.connection import Connections
from knowlog.cli.bench.loading import COLLECTION, Text, load_texts
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.process_tree import pss_bytes, require_proc, tree
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System, another_tenant
from knowlog.cli.client import Refused
from knowlog.cli.output import say
from knowlog.evaluation import percentile
from knowlog.kernel.errors import InternalError, Unavailable

_MB = 2**20
_OTHERS = 4
_CONNECTIONS = 40
_EACH = 4
"""Callers of each tenant that ask one question after the other, for the capacity."""
_TIMES, _HEAVY_TIMES = 3, 10
_SHED_AFTER_S = 3.0
_STEP_S = 0.01
_WARM_UP = 100
_CALM = 5
_CALM_RATIO = 1.5
_RECOVERY_S = 30.0
_DOCUMENTS = 200
_TEXT = "Pump {n} stands in hall {hall}. Its seal is renewed every {weeks} weeks, its bearing is greased in week {n}. "

Seconds = Annotated[int, typer.Option("--seconds", min=5, help="Length of each phase.")]


@dataclass
class _Asked:
    """What became of the questions of one tenant: milliseconds of those that were answered, and the other outcomes."""

    answered_ms: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def of(self, others: "Sequence[_Asked]") -> "_Asked":
        """All of them together."""
        for each in others:
            self.answered_ms += each.answered_ms
            self.outcomes += each.outcomes
        return self


def overload(seconds: Seconds = 15, json: JsonFile = None) -> None:
    """Ask as much as is answered; then three times as much, and one tenant more asks ten times its share. Linux only.

    `goodput_ratio` is what is answered in a second during the overload, to what was before it. `others_p99_ratio`
    compares what other tenants wait for the answers that they get, once the overload has lasted for three seconds.
    `memory_grown_mb` is what all processes hold after the overload and did not before it.
    `refused_at_capacity`: what was refused before the overload. `generator_cores`: what of a core the asking itself takes
    during the overload, which the answering then lacks.
    `recovered_s`: until five questions in a row take no longer than half as long again as on the idle server.
    """
    require_proc()
    run_bench(lambda system: _measure(system, seconds), None, None, json, _CONNECTIONS)


async def _measure(system: System, seconds: int) -> Report:
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(another_tenant(system, _CONNECTIONS)) for _ in range(_OTHERS)
        ]
        heavy = system.api
        for api in (heavy, *others):
            await load_texts(api, _texts())
        idle_ms = await _one_after_another(others[0], _WARM_UP)
        say("Asking as much as is answered ...")
        await _closed([*others, heavy], seconds)
        for api in (heavy, *others):
            api.renew()  # a second server may have begun by now
        before = await _closed([*others, heavy], seconds)
        capacity = sum(len(each.answered_ms) for each in before) / seconds
        memory = _memory_bytes()
        say(f"Asking {_TIMES} times as much, and {_HEAVY_TIMES} times its share for one tenant ...")
        own = process_time()
        during = await _flood(others, heavy, capacity, seconds)
        generator = (process_time() - own) / (seconds + _SHED_AFTER_S)
        grown = _memory_bytes() - memory
        recovered_s = await _recovery(others[0], idle_ms)
    report = _report(before, during, capacity, seconds, idle_ms, grown, recovered_s)
    return replace(report, metrics={**report.metrics, "generator_cores": generator})


def _report(
    before: Sequence[_Asked],
    during: Sequence[_Asked],
    capacity: float,
    seconds: int,
    idle_ms: float,
    grown: int,
    recovered_s: float,
) -> Report:
    calm, pressed = _Asked().of(before[:-1]), _Asked().of(during[:-1])
    everything = _Asked().of(during)
    at_capacity, at_overload = percentile(calm.answered_ms, 99), percentile(pressed.answered_ms, 99)
    answered = len(everything.answered_ms) / seconds
    figures = {
        "goodput_ratio": answered / capacity,
        "others_p99_ratio": at_overload / at_capacity,
        "memory_grown_mb": grown / _MB,
        "recovered_s": recovered_s,
        "capacity_per_s": capacity,
        "goodput_per_s": answered,
        "asked_per_s": everything.outcomes.total() / seconds,
        "heavy_share": len(during[-1].answered_ms) / max(1, len(everything.answered_ms)),
        "idle_p50_ms": idle_ms,
        "others_p99_at_capacity_ms": at_capacity,
        "others_p99_ms": at_overload,
        "refused_at_capacity": sum(each.outcomes.total() - each.outcomes["answered"] for each in before),
        "refused_429": everything.outcomes["429"],
        "refused_503": everything.outcomes["503"],
        "not_sent": everything.outcomes["not sent"],
        "failed": everything.outcomes["failed"],
    }
    return Report(figures, {"tenants": _OTHERS + 1, "seconds": seconds, "documents": _DOCUMENTS})


def _texts() -> list[Text]:
    return [
        Text(
            external_id=f"pump-{n}",
            title=f"Pump {n}",
            text=_TEXT.format(n=n, hall=n % 7, weeks=n % 40 + 2) * 3,
        )
        for n in range(_DOCUMENTS)
    ]


def _question(number: int) -> dict[str, object]:
    question = f"How often is the seal of pump {number % _DOCUMENTS} renewed?"
    return {"question": question, "collections": [COLLECTION], "limit": 10}


async def _ask(api: Connections, number: int, asked: _Asked) -> None:
    began = perf_counter()
    try:
        await api.post("/v1/search", _question(number))
    except Refused as refused:
        asked.outcomes[str(refused.http_status) if refused.http_status in (429, 503) else "failed"] += 1
    except Unavailable:
        asked.outcomes["failed"] += 1
    else:
        asked.answered_ms.append((perf_counter() - began) * 1000)
        asked.outcomes["answered"] += 1


async def _one_after_another(api: Connections, count: int) -> float:
    """The median of some questions by themselves, in milliseconds."""
    asked = _Asked()
    for number in range(count):
        await _ask(api, number, asked)
    if len(asked.answered_ms) < count:
        raise InternalError(f"The idle server did not answer: {dict(asked.outcomes)}.")
    return median(asked.answered_ms)


async def _closed(tenants: Sequence[Connections], seconds: float) -> list[_Asked]:
    """Each tenant has some callers that ask one question after the other."""
    found = [_Asked() for _ in tenants]
    ends = perf_counter() + seconds

    async def call(api: Connections, asked: _Asked, number: int) -> None:
        while perf_counter() < ends:
            await _ask(api, number, asked)
            number += _EACH

    await asyncio.gather(
        *(call(api, asked, n) for api, asked in zip(tenants, found, strict=True) for n in range(_EACH))
    )
    return found


async def _flood(
    others: Sequence[Connections], heavy: Connections, capacity: float, seconds: float
) -> list[_Asked]:
    """Ask at fixed rates, whether answers come or not."""
    share = capacity / (len(others) + 1)
    rates = [(api, capacity * _TIMES / len(others)) for api in others] + [(heavy, share * _HEAVY_TIMES)]
    return await asyncio.gather(*(_at_rate(api, rate, seconds) for api, rate in rates))


async def _at_rate(api: Connections, rate: float, seconds: float) -> _Asked:
    """What is asked in the first seconds, until it is shed, is not counted."""
    before, counted, under_way, sent = _Asked(), _Asked(), set[asyncio.Task[None]](), 0
    began = perf_counter()
    while (passed := perf_counter() - began) < _SHED_AFTER_S + seconds:
        asked = before if passed < _SHED_AFTER_S else counted
        for number in range(sent, int(passed * rate)):
            if len(under_way) >= _CONNECTIONS:
                asked.outcomes["not sent"] += 1
                continue
            task = asyncio.create_task(_ask(api, number, asked))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        sent = int(passed * rate)
        await asyncio.sleep(_STEP_S)
    await asyncio.gather(*under_way)
    return counted


async def _recovery(api: Connections, idle_ms: float) -> float:
    """Seconds until questions take as long as before."""
    began, calm = perf_counter(), 0
    while calm < _CALM:
        asked = _Asked()
        await _ask(api, calm, asked)
        quick = bool(asked.answered_ms) and asked.answered_ms[0] <= _CALM_RATIO * idle_ms
        calm = calm + 1 if quick else 0
        if perf_counter() - began > _RECOVERY_S:
            raise InternalError(f"The server did not recover within {_RECOVERY_S:g} seconds.")
    return perf_counter() - began


def _memory_bytes() -> int:
    """What all processes of the system hold."""
    return sum(pss_bytes(pid) for pid in tree(os.getpid()) if pid != os.getpid())
