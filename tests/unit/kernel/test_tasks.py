"""A loop that survives failures ends when it is cancelled, whatever hides the cancellation."""

import asyncio

from knowlog.kernel.tasks import asked_to_end
from knowlog.workers.maintenance import _within


async def test_a_loop_ends_although_its_clean_up_hides_the_cancellation() -> None:
    """As a driver does that finds its connection broken while it rolls back."""
    turns = 0

    async def loop() -> None:
        nonlocal turns
        while not asked_to_end():
            turns += 1
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                continue

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(5):
        await task
    assert turns == 1


async def test_a_deadline_that_has_passed_asks_nobody_to_end() -> None:
    """A timeout cancels too, and takes it back."""
    try:
        async with asyncio.timeout(0.001):
            await asyncio.sleep(60)
    except TimeoutError:
        assert not asked_to_end()


async def test_who_is_woken_and_cancelled_at_once_is_cancelled() -> None:
    """Being woken does not outrun it."""
    woken = asyncio.Event()
    task = asyncio.create_task(_within(woken, 60))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    woken.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
