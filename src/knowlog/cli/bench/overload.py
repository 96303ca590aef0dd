"""`knowlog bench overload`: what is answered, and how fast, while several times as much is asked as can be."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import fmean, median
from time import perf_counter
from typing import Annotated

import typer

from knowlog.cli.bench.connection import Connections
from knowlog.cli.bench.cores import Cores
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
from knowlog.kernel.loops import faster_loop

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

_BUSY_S = 8.0
"""After which a second server has begun."""
_REST_S = 2.0
Seconds = Annotated[int, typer.Option("--seconds", min=5, help="Length of each phase.")]
Rounds = Annotated[
    int, typer.Option("--rounds", min=1, help="How often as much is asked as is answered, then more.")
]


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


@dataclass(frozen=True, slots=True)
class _Phase:
    """What each tenant asked, in how many seconds that count, and which cores that took."""

    asked: list[_Asked]
    seconds: float
    cores: dict[str, float]

    @property
    def answered_per_s(self) -> float:
        """What is answered to all tenants in a second."""
        return sum(len(each.answered_ms) for each in self.asked) / self.seconds


@dataclass(slots=True)
class _Round:
    """As much as is answered, then more; what all processes hold before that and afterwards, and how long the server
    takes to recover.
    """

    calm: _Phase
    pressed: _Phase
    memory_bytes: tuple[int, int]
    recovered_s: float

    @property
    def goodput(self) -> float:
        """What is answered in the overload, to what is before."""
        return self.pressed.answered_per_s / self.calm.answered_per_s


def overload(seconds: Seconds = 6, rounds: Rounds = 6, json: JsonFile = None) -> None:
    """Ask as much as is answered; then three times as much, and one tenant more asks ten times its share. Linux only.

    In several rounds, since machines are not always as fast. `goodput_ratio` is what is answered in a second during the
    overloads, to what is before them; the lowest and the highest of the rounds show how much that tells.
    `others_p99_ratio` compares what other tenants wait for the answers that they get, once the overload has lasted for
    three seconds. `memory_grown_mb` is what all processes hold after the last overload and did not before the first.
    `recovered_s`: until five questions in a row take no longer than half as long again as on the idle server, at most.
    `refused_at_capacity`: what was refused before an overload.
    `..._cores_at_capacity` and `..._cores`: how many cores of the machine the servers, PostgreSQL and the asking itself
    take before the overload and during it; of the asking, what its kernel takes for its connections; what nobody takes;
    what is taken elsewhere.
    """
    require_proc()
    run_bench(
        lambda system: _measure(system, seconds, rounds), None, None, json, _CONNECTIONS, loop=faster_loop()
    )


async def _measure(system: System, seconds: int, rounds: int) -> Report:
    _interrupt_nobody()
    async with AsyncExitStack() as stack:
        others = [
            await stack.enter_async_context(another_tenant(system, _CONNECTIONS)) for _ in range(_OTHERS)
        ]
        heavy = system.api
        for api in (heavy, *others):
            await load_texts(api, _texts())
        idle_ms = await _one_after_another(others[0], _WARM_UP)
        await _closed([*others, heavy], _BUSY_S)
        await _until_all_serve(system)
        for api in (heavy, *others):
            api.renew()  # they share the connections out anew
        await _closed([*others, heavy], _SHED_AFTER_S)
        servers = _servers(system)
        done = [await _round(system, others, seconds, idle_ms) for _ in range(rounds)]
    if _servers(system) != servers:
        raise InternalError("One more server began between two measurements. Measure again.")
    settings = {"tenants": _OTHERS + 1, "servers": servers, "seconds": seconds, "rounds": rounds}
    return Report(_figures(done, idle_ms), {**settings, "documents": _DOCUMENTS})


def _interrupt_nobody() -> None:
    """Let this process wait for its turn of a core. Who asks is on another machine elsewhere, and pushes nobody off a
    core whenever an answer comes. What is started from here is not concerned.
    """
    os.sched_setscheduler(0, os.SCHED_BATCH | os.SCHED_RESET_ON_FORK, os.sched_param(0))


def _servers(system: System) -> int:
    return len(_own_ports(system))


def _own_ports(system: System) -> list[str | None]:
    """Where each server that was started answers alone; None where there is only one."""
    assert system.stack is not None
    programs = system.stack.supervisor.programs
    return [each.environment.get("KNOWLOG_API_OWN_PORT") for each in programs if each.command == "serve"]


async def _until_all_serve(system: System) -> None:
    began = perf_counter()
    for port in filter(None, _own_ports(system)):
        async with Connections(f"http://127.0.0.1:{port}", "", 1) as server:
            while not await _is_ready(server):
                if perf_counter() - began > _RECOVERY_S:
                    raise InternalError("A server does not come up. Measure again.")
                await asyncio.sleep(_STEP_S)


async def _is_ready(server: Connections) -> bool:
    try:
        await server.get("/health/ready")
    except (Refused, Unavailable):
        return False
    return True


async def _round(system: System, others: Sequence[Connections], seconds: int, idle_ms: float) -> _Round:
    say("Asking as much as is answered ...")
    await asyncio.sleep(_REST_S)
    cores = Cores(system)
    asked = await _closed([*others, system.api], seconds)  # the last are answered when no more are asked
    calm, memory = _Phase(asked, cores.passed_s, cores.taken()), _memory_bytes()
    say(f"Asking {_TIMES} times as much, and {_HEAVY_TIMES} times its share for one tenant ...")
    asked, taken = await asyncio.gather(
        _flood(others, system.api, calm.answered_per_s, seconds), _taken_once_shed(system, seconds)
    )
    pressed = _Phase(asked, seconds, taken)
    return _Round(calm, pressed, (memory, _memory_bytes()), await _recovery(others[0], idle_ms))


async def _taken_once_shed(system: System, seconds: float) -> dict[str, float]:
    await asyncio.sleep(_SHED_AFTER_S)
    cores = Cores(system)
    await asyncio.sleep(seconds)
    return cores.taken()


def _figures(done: Sequence[_Round], idle_ms: float) -> dict[str, float]:
    calm, pressed = [each.calm for each in done], [each.pressed for each in done]
    at_capacity = percentile(_tenants(calm, _OTHERS).answered_ms, 99)
    at_overload = percentile(_tenants(pressed, _OTHERS).answered_ms, 99)
    before, during = _tenants(calm), _tenants(pressed)
    capacity, goodput = (fmean(each.answered_per_s for each in phases) for phases in (calm, pressed))
    return {
        "goodput_ratio": goodput / capacity,
        "goodput_ratio_lowest": min(each.goodput for each in done),
        "goodput_ratio_highest": max(each.goodput for each in done),
        "others_p99_ratio": at_overload / at_capacity,
        "memory_grown_mb": (done[-1].memory_bytes[1] - done[0].memory_bytes[0]) / _MB,
        "recovered_s": max(each.recovered_s for each in done),
        "capacity_per_s": capacity,
        "goodput_per_s": goodput,
        "asked_per_s": fmean(_tenants([each]).outcomes.total() / each.seconds for each in pressed),
        "heavy_share": 1 - len(_tenants(pressed, _OTHERS).answered_ms) / max(1, len(during.answered_ms)),
        "idle_p50_ms": idle_ms,
        "others_p99_at_capacity_ms": at_capacity,
        "others_p99_ms": at_overload,
        "refused_at_capacity": before.outcomes.total() - before.outcomes["answered"],
        "refused_429": during.outcomes["429"],
        "refused_503": during.outcomes["503"],
        "not_sent": during.outcomes["not sent"],
        "failed": during.outcomes["failed"],
        **{f"{name}_at_capacity": each for name, each in _cores(calm).items()},
        **_cores(pressed),
    }


def _tenants(phases: Sequence[_Phase], count: int = _OTHERS + 1) -> _Asked:
    """What became of the questions of the first tenants in all phases; the last one is the one that asks most."""
    return _Asked().of([each for phase in phases for each in phase.asked[:count]])


def _cores(phases: Sequence[_Phase]) -> dict[str, float]:
    return {f"{name}_cores": fmean(each.cores[name] for each in phases) for name in phases[0].cores}


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
