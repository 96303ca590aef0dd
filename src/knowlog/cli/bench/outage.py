"""`knowlog bench outage`: what questions get while the language model is dead, slow, failing or talks garbage."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

from knowlog.cli.bench.loading import COLLECTION, Text, load_texts
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.servers.endpoint import Mood
from knowlog.cli.bench.servers.language_model import ModelServer
from knowlog.cli.bench.system import System
from knowlog.cli.client import Refused
from knowlog.cli.output import say
from knowlog.kernel.errors import InternalError, Invalid, Unavailable

KINDS: Mapping[str, Mood | None] = {
    "dead": None,
    "slow": "slow",
    "erroring": "half fails",
    "garbage": "garbage",
    "broken_off": "half a stream",
}
"""What is played, by the mood of the endpoint; None: its process is killed."""
_AT_ONCE = 4
_BEFORE = 20
"""Good answers before an outage: a full window of the breaker, which makes it as late as can be."""
_LONGEST_S = 120.0
_DOCUMENTS = 40
_TEXT = "Pump P{n} stands in hall {hall}. The seal of pump P{n} is renewed every {weeks} weeks."

Seconds = Annotated[
    int, typer.Option("--seconds", min=1, help="How long each outage lasts once the model is left alone.")
]
Kinds = Annotated[
    list[str] | None, typer.Option("--kind", help=f"Only these: {', '.join(KINDS)}. [default: all]")
]


class _Asking:
    """Asks a few questions at once, round after round, and keeps what came of them."""

    def __init__(self, system: System) -> None:
        self._api = system.api
        self.rungs: Counter[str] = Counter()
        self.slowest_s = 0.0
        self.opened = 0
        self.state = ""

    async def round(self) -> None:
        """Ask, then look how the breaker stands."""
        await asyncio.gather(*(self._ask(self.rungs.total() + n) for n in range(_AT_ONCE)))
        await self._look()

    async def until(self, enough: Callable[[], bool], what: str) -> float:
        """Ask until it is so; returns the seconds that this took."""
        began = perf_counter()
        while not enough():
            await self.round()
            if perf_counter() - began > _LONGEST_S:
                raise InternalError(f"Within {_LONGEST_S:g} seconds {what}: {dict(self.rungs)}.")
        return perf_counter() - began

    def anew(self) -> None:
        """What comes now is counted by itself."""
        self.rungs, self.slowest_s = Counter(), 0.0

    async def _ask(self, number: int) -> None:
        question = f"How often is the seal of pump P{number % _DOCUMENTS} renewed?"
        began = perf_counter()
        try:
            answer = await self._api.post(
                "/v1/answers", {"question": question, "collections": [COLLECTION], "mode": "generated"}
            )
            self.rungs[answer["rung"] if answer["status"] == "answered" else "not answered"] += 1
        except (Refused, Unavailable):
            self.rungs["failed"] += 1
        self.slowest_s = max(self.slowest_s, perf_counter() - began)

    async def _look(self) -> None:
        for each in (await self._api.get("/v1/dependencies"))["items"]:
            if each["name"].startswith("language model"):
                self.state, self.opened = each["state"], each["opened"]


def outage(kind: Kinds = None, seconds: Seconds = 10, json: JsonFile = None) -> None:
    """Play a language model in a process of its own, break it in each way in turn, and ask on all the while.

    Of each kind: `open_calls` and `open_s`, the questions and seconds until it is left alone; `answered`, the share of
    all `questions` that were answered, by it or by quotations; `slowest_s`, of these, beside `deadline_s`; `opened`, how
    often the breaker opened (more than once is flapping); `closed_s`, from the recovery until it is asked as before.
    Four questions are asked at once, so that `open_calls` is exact to four.
    """
    if unknown := set(kind or ()) - set(KINDS):
        raise Invalid(f"There is no outage {', '.join(sorted(unknown))}. Choose of {', '.join(KINDS)}.")
    with tempfile.TemporaryDirectory(prefix="knowlog-bench-") as folder:
        model = ModelServer(Path(folder) / "model")
        run_bench(
            lambda system: _measure(system, model, kind or list(KINDS), seconds),
            None,
            None,
            json,
            _AT_ONCE,
            environment=_running(model),
        )


@asynccontextmanager
async def _running(model: ModelServer) -> AsyncIterator[Mapping[str, str]]:
    """The settings of a knowlog that asks the model, which runs meanwhile. One process, so that there is one breaker."""
    await asyncio.to_thread(model.start)
    try:
        yield {**model.settings, "KNOWLOG_API_PROCESSES": "1"}
    finally:
        await asyncio.to_thread(model.remove)


async def _measure(system: System, model: ModelServer, kinds: list[str], seconds: int) -> Report:
    await load_texts(system.api, _texts())
    figures: dict[str, float] = {}
    for kind in kinds:
        say(f"Outage: {kind} ...")
        found = await _outage(_Asking(system), model, kind, seconds)
        figures |= {f"{kind}_{name}": value for name, value in found.items()}
    deadline_s = system.settings.resilience.question_s
    settings = {"seconds": seconds, "at_once": _AT_ONCE, "timeout_s": system.settings.llm.timeout_s}
    return Report({**figures, "deadline_s": deadline_s}, settings)


async def _outage(asking: _Asking, model: ModelServer, kind: str, seconds: int) -> dict[str, float]:
    await asking.until(
        lambda: asking.rungs["generated"] >= _BEFORE and asking.state == "closed", "it did not write"
    )
    opened = asking.opened
    asking.anew()
    end = await _broken(model, kind)
    open_s = await asking.until(lambda: asking.opened > opened, "its breaker did not open")
    open_calls, until = asking.rungs.total(), perf_counter() + seconds
    await asking.until(lambda: perf_counter() > until, "it did not end")
    figures = _figures(asking, open_s, open_calls, opened)
    await end()
    closed_s = await asking.until(lambda: asking.state == "closed", "its breaker did not close")
    await asking.round()
    return {**figures, "closed_s": closed_s}


async def _broken(model: ModelServer, kind: str) -> Callable[[], Awaitable[Any]]:
    """Break it; returns how to mend it."""
    mood = KINDS[kind]
    if mood is None:
        await asyncio.to_thread(model.kill)
        return lambda: asyncio.to_thread(model.start)
    await asyncio.to_thread(model.be, mood)
    return lambda: asyncio.to_thread(model.be, "well")


def _figures(asking: _Asking, open_s: float, open_calls: int, opened: int) -> dict[str, float]:
    answered = sum(asking.rungs[rung] for rung in ("generated", "extractive"))
    return {
        "open_calls": open_calls,
        "open_s": open_s,
        "answered": answered / asking.rungs.total(),
        "slowest_s": asking.slowest_s,
        "opened": asking.opened - opened,
        "questions": asking.rungs.total(),
    }


def _texts() -> list[Text]:
    return [
        Text(
            external_id=f"pump-{n}",
            title=f"Pump P{n}",
            text=_TEXT.format(n=n, hall=n % 7, weeks=n % 40 + 2),
        )
        for n in range(_DOCUMENTS)
    ]
