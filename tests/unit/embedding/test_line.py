"""Batches are served in turns."""

import asyncio
import threading
import time

import pytest

from knowlog.embedding.adapters.bert.line import Line


@pytest.fixture
def line():
    """Two threads."""
    made = Line(2, "test")
    yield made
    made.close()


async def test_a_short_batch_passes_a_long_one(line) -> None:
    """Three items that come late are done long before three hundred that came first."""
    order: list[str] = []

    async def run(name: str, count: int) -> None:
        await line.run(lambda _: time.sleep(0.002), range(count))
        order.append(name)

    long = asyncio.create_task(run("long", 300))
    await asyncio.sleep(0.02)
    await run("short", 3)
    assert order == ["short"]
    await long


async def test_every_item_is_worked_on_once(line) -> None:
    """Many batches at a time, nothing left out and nothing twice."""
    seen: list[tuple[int, int]] = []

    async def run(batch: int) -> None:
        await line.run(lambda item: seen.append((batch, item)), range(50))

    await asyncio.gather(*(run(number) for number in range(20)))
    assert sorted(seen) == [(batch, item) for batch in range(20) for item in range(50)]


async def test_an_error_reaches_its_own_caller_alone(line) -> None:
    """Others go on."""

    def broken(item: int) -> None:
        raise ValueError(item)

    other = asyncio.create_task(line.run(lambda _: time.sleep(0.001), range(50)))
    with pytest.raises(ValueError, match="7"):
        await line.run(broken, [7])
    await other


async def test_what_is_cancelled_ends_soon(line) -> None:
    """Threads do not go on with a batch that nobody waits for."""
    count = 0

    def work(_: int) -> None:
        nonlocal count
        count += 1
        time.sleep(0.002)

    task = asyncio.create_task(line.run(work, range(1000)))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    before = count
    await asyncio.sleep(0.05)
    assert count <= before + 2


async def test_nothing_to_do_is_done_at_once(line) -> None:
    """An empty batch needs no thread."""
    async with asyncio.timeout(5):
        await line.run(pytest.fail, [])


async def test_threads_end_when_the_line_is_closed() -> None:
    """No thread is left behind."""
    made = Line(3, "closing")
    await made.run(lambda _: None, range(10))
    made.close()
    await asyncio.sleep(0.05)
    assert not [each for each in threading.enumerate() if each.name.startswith("closing")]
