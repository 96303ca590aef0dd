"""`knowlog bench search`: what HTTP, keys and rendering add to the bare work of a search."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from time import perf_counter
from typing import Annotated

import typer

from knowlog.cli.bench.bare import Bare, open_bare
from knowlog.cli.bench.connection import Connections
from knowlog.cli.bench.judged import beir_texts
from knowlog.cli.bench.loading import COLLECTION, every, load_texts
from knowlog.cli.bench.options import Data, JsonFile, MostQuestions, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import progress
from knowlog.evaluation import BeirDataset, load_beir, percentile

_ROUNDS = 9
_LIMIT = 10
_DEPTH = 100  # what each leg contributes by default
_WARM_UP = 30

Concurrency = Annotated[
    int, typer.Option("--concurrency", min=1, max=64, help="Searches at once, for throughput.")
]
Ask = Callable[[str], Awaitable[object]]


def search(
    data: Data,
    concurrency: Concurrency = 8,
    limit: MostQuestions = None,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Time searches over HTTP beside the bare work: embed the question, run the SQL, in one process, no HTTP.

    p50_ratio is taken one search at a time, each round a share of the questions; throughput_ratio at --concurrency, each
    round all of them. Both sides take turns in nine rounds, and of their ratios the median counts.
    """
    dataset = load_beir(data)
    run_bench(
        lambda system: _measure(system, dataset, concurrency, limit), url, operator_key, json, concurrency
    )


async def _measure(system: System, dataset: BeirDataset, concurrency: int, limit: int | None) -> Report:
    texts = beir_texts(dataset)
    await load_texts(system.api, texts)
    questions = every(list(dataset.questions.values()), limit)

    async def over_http(question: str) -> object:
        wanted = {"question": question, "collections": [COLLECTION], "limit": _LIMIT}
        return await system.api.post("/v1/search", wanted)

    async with open_bare(system) as bare:
        rounds = await _rounds(system.api, over_http, _bare_search(bare), questions, concurrency)
    counts = {"documents": len(texts), "questions": len(questions)}
    settings = {"data": dataset.name, "concurrency": concurrency, "rounds": _ROUNDS, "limit": _LIMIT}
    return Report({**_figures(rounds), **counts}, settings)


def _bare_search(bare: Bare) -> Ask:
    return lambda question: bare.search(question, _DEPTH)


class _Round:
    """Latencies in milliseconds, one search at a time, and searches per second, several at once."""

    def __init__(self) -> None:
        self.http_ms: list[float] = []
        self.bare_ms: list[float] = []
        self.http_per_s = 0.0
        self.bare_per_s = 0.0


async def _rounds(
    api: Connections, over_http: Ask, bare: Ask, questions: Sequence[str], concurrency: int
) -> list[_Round]:
    for ask in (over_http, bare):
        await latencies_ms(ask, questions[:_WARM_UP])
    found = []
    with progress() as bar:
        task = bar.add_task("Searching", total=_ROUNDS * 4, note="")
        for number in range(_ROUNDS):
            measured = _Round()
            share = questions[number::_ROUNDS]
            for side in ("http", "bare") if number % 2 else ("bare", "http"):
                api.renew()  # the servers behind the port share out connections, not requests
                ask = over_http if side == "http" else bare
                setattr(measured, f"{side}_ms", await latencies_ms(ask, share))
                bar.advance(task)
                setattr(measured, f"{side}_per_s", await per_second(ask, questions, concurrency))
                bar.advance(task)
            found.append(measured)
    return found


async def latencies_ms(ask: Ask, questions: Sequence[str]) -> list[float]:
    """Ask one after another, and time each."""
    found = []
    for question in questions:
        started = perf_counter()
        await ask(question)
        found.append((perf_counter() - started) * 1000)
    return found


async def per_second(ask: Ask, questions: Sequence[str], concurrency: int) -> float:
    """Ask all, `concurrency` at once, each worker beginning the next as soon as it has its answer."""
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            await ask(question)

    started = perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return len(questions) / (perf_counter() - started)


def _figures(rounds: Sequence[_Round]) -> dict[str, float]:
    http = [value for each in rounds for value in each.http_ms]
    bare = [value for each in rounds for value in each.bare_ms]
    figures = {
        "p50_ratio": median(percentile(each.http_ms, 50) / percentile(each.bare_ms, 50) for each in rounds),
        "throughput_ratio": median(each.http_per_s / each.bare_per_s for each in rounds),
    }
    for name, values in (("http", http), ("bare", bare)):
        figures |= {f"{name}_p{percent}_ms": percentile(values, percent) for percent in (50, 95, 99)}
    figures["http_per_s"] = median(each.http_per_s for each in rounds)
    figures["bare_per_s"] = median(each.bare_per_s for each in rounds)
    return figures
