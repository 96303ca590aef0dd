"""Bringing a benchmark's texts in, through the API as anyone would."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any, TypedDict

from knowlog.cli.bench.connection import Connections
from knowlog.cli.client import Refused
from knowlog.cli.output import progress
from knowlog.kernel.errors import Unavailable

COLLECTION = "benchmark"
_BATCH = 64
_BATCH_CHARACTERS = 4_000_000
_POLL_S = 0.1
_LONGEST_POLL_S = 2.0
_POLL_SHARE = 0.1
"""Of the time, at most, that asking how far it is takes: counting many documents takes long itself."""
_SOON_DONE = 128
"""Of so few, all may be done at any moment: a worker is done with many at once."""
_PATIENCE_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_SILENT_TOO_LONG_S = 300.0


class Text(TypedDict):
    """A document as documents:batch takes it."""

    external_id: str
    title: str
    text: str


async def load_texts(
    api: Connections,
    texts: Sequence[Text],
    profile: Mapping[str, Any] | None = None,
    collection: str = COLLECTION,
) -> None:
    """Upload the texts into a new collection and wait until every one is indexed.

    Raises Unavailable otherwise.
    """
    await api.post("/v1/collections", {"name": collection, "profile": profile or {}})
    with progress() as bar:
        task = bar.add_task("Indexing", total=len(texts), note="")
        await upload(api, texts, collection)
        await until_indexed(api, len(texts), collection, lambda done: bar.update(task, completed=done))


async def upload(api: Connections, texts: Sequence[Text], collection: str = COLLECTION) -> None:
    """Upload texts in batches, one after another."""
    place = f"/v1/collections/{collection}/documents:batch"
    for batch in batches(texts):
        await _patiently(
            partial(api.post_lines, place, list(batch))
        )  # what came in before is known by its id


async def until_indexed(
    api: Connections, count: int, collection: str = COLLECTION, seen: Callable[[int], None] = lambda _: None
) -> None:
    """Wait until the collection has `count` indexed documents. Asks seldom while much is left, often towards the end.

    Raises Unavailable when some failed, or nothing moves.
    """
    began = monotonic()
    before, moved, first = -1, began, None
    while True:
        asked = monotonic()
        answer = await _patiently(partial(api.get, f"/v1/collections/{collection}/states"))
        states: dict[str, int] = answer["states"]
        indexed = states.get("indexed", 0)
        seen(indexed)
        if states.get("failed"):
            failed = await api.get(f"/v1/collections/{collection}/documents?state=failed&limit=1")
            raise Unavailable(
                f"{states['failed']} documents failed. One says: {failed['items'][0]['reason']}"
            )
        if indexed >= count:
            return
        if indexed != before:
            before, moved = indexed, monotonic()
        if monotonic() - moved > _SILENT_TOO_LONG_S:
            raise Unavailable(f"Nothing was indexed for {_SILENT_TOO_LONG_S:.0f} s. Does a worker run?")
        first = indexed if first is None else first
        left_s = 0.0
        if indexed > first and count - indexed > _SOON_DONE:
            left_s = (count - indexed) * (asked - began) / (indexed - first)
        took_s = monotonic() - asked
        await asyncio.sleep(max(_POLL_S, took_s / _POLL_SHARE, min(_LONGEST_POLL_S, left_s / 2)))


async def _patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Call again where the server says that this may help: nothing is measured here, and others may use the machine."""
    for wait_s in _PATIENCE_S:
        try:
            return await call()
        except Refused as error:
            if error.http_status != 503:
                raise
        await asyncio.sleep(wait_s)
    return await call()


def batches(texts: Sequence[Text]) -> list[list[Text]]:
    """Cut into batches that the server takes: not too many documents, not too many characters."""
    found: list[list[Text]] = []
    room = 0
    for text in texts:
        size = len(text["text"])
        if not found or len(found[-1]) >= _BATCH or size > room:
            found.append([])
            room = _BATCH_CHARACTERS
        found[-1].append(text)
        room -= size
    return found


async def ask_all(
    ask: Callable[[Any], Any], questions: Sequence[Any], description: str, concurrency: int = 4
) -> list[Any]:
    """Call `ask` for each question, a few at a time, with a progress bar.

    Results are in the order of the questions.
    """
    results: list[Any] = [None] * len(questions)
    numbers = iter(range(len(questions)))
    with progress() as bar:
        task = bar.add_task(description, total=len(questions), note="")

        async def work() -> None:
            for number in numbers:
                results[number] = await ask(questions[number])
                bar.advance(task)

        await asyncio.gather(*(work() for _ in range(concurrency)))
    return results


def every(items: Sequence[Any], limit: int | None) -> list[Any]:
    """Take every k-th item so that `limit` are left, spread over the whole; all when there is no limit."""
    if limit is None or limit >= len(items):
        return list(items)
    return [items[number * len(items) // limit] for number in range(limit)]
