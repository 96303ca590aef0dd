"""`knowlog bench fairness`: how long a tenant's document waits while another's ten thousand are queued."""

import asyncio
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Annotated
from uuid import uuid4

import typer

from knowlog.cli.bench.connection import Connections
from knowlog.cli.bench.loading import Text, upload
from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.queue_server import BrokerName, queue_server
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System, another_tenant
from knowlog.cli.output import progress, say
from knowlog.kernel.errors import InternalError

_COLLECTION = "fairness"
_ROUNDS = 15
_POLL_S = 0.005
_BETWEEN_S = 0.3
_SETTLE_S = 2.0
_WORDS = (
    "The maintenance of pump {n} is due in week {n}; its seal was renewed and its bearing was greased. " * 4
)


def fairness(
    documents: Annotated[
        int, typer.Option("--documents", min=500, help="So many documents of one tenant are queued.")
    ] = 10_000,
    broker: BrokerName = "postgres",
    json: JsonFile = None,
) -> None:
    """Time one document of a tenant from its upload until a search finds it: alone, and behind another's queue.

    `fairness_ratio` is the median behind the queue over the median on the idle system.
    """
    run_bench(
        lambda system: _measure(system, documents), None, None, json, environment=queue_server(broker, [])
    )


async def _measure(system: System, documents: int) -> Report:
    async with another_tenant(system) as second:
        for api in (system.api, second):
            await api.post("/v1/collections", {"name": _COLLECTION})
        await _times(second, 3)  # both ways begin warm
        alone = await _times(second, _ROUNDS)
        await _queue(system.api, documents)
        await asyncio.sleep(_SETTLE_S)
        behind = await _times(second, _ROUNDS)
        left = await _unfinished(system.api)
    if not left:
        raise InternalError("The queue was worked off before the end. Ask for more --documents.")
    figures = {
        "fairness_ratio": median(behind) / median(alone),
        "alone_p50_ms": median(alone),
        "behind_p50_ms": median(behind),
        "behind_longest_ms": max(behind),
        "queued": documents,
        "still_queued_at_end": left,
    }
    settings = system.settings
    about = {
        "rounds": _ROUNDS,
        "embedding": settings.embedding.model,
        "broker": settings.bus.broker,
    }
    return Report(figures, about)


async def _queue(api: Connections, documents: int) -> None:
    texts = [
        Text(external_id=f"pump-{n}", title=f"Pump {n}", text=_WORDS.format(n=n)) for n in range(documents)
    ]
    with progress() as bar:
        task = bar.add_task("Queueing", total=documents, note="")
        for start in range(0, documents, 500):
            await upload(api, texts[start : start + 500], _COLLECTION)
            bar.advance(task, 500)


async def _times(api: Connections, rounds: int) -> Sequence[float]:
    found = []
    say("Timing single documents ...")
    for _ in range(rounds):
        found.append(await _until_found_ms(api))
        await asyncio.sleep(_BETWEEN_S)
    return found


async def _until_found_ms(api: Connections) -> float:
    """Milliseconds from the upload of a document until a search returns it."""
    word = uuid4().hex
    started = perf_counter()
    text = {"external_id": word, "text": f"The password of the day is {word}."}
    made = (await api.post(f"/v1/collections/{_COLLECTION}/documents", text))["items"][0]
    while True:
        document = await api.get(f"/v1/documents/{made['document_id']}")
        if document["state"] == "indexed":
            break
        if document["state"] == "failed":
            raise InternalError(f"The document failed: {document['reason']}")
        await asyncio.sleep(_POLL_S)
    asked = {"question": word, "collections": [_COLLECTION], "limit": 1}
    passages = (await api.post("/v1/search", asked))["passages"]
    if not passages or word not in passages[0]["text"]:
        raise InternalError("The document is indexed and was not found.")
    return (perf_counter() - started) * 1000


async def _unfinished(api: Connections) -> int:
    states = (await api.get(f"/v1/collections/{_COLLECTION}/states"))["states"]
    return sum(count for state, count in states.items() if state not in ("indexed", "failed"))
