"""Threads that serve several batches in turns, one item of each at a time."""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class _Batch:
    """Items that wait, how many are not done, and where to report when none is left."""

    work: Callable[[int], None]
    waiting: deque[int]
    left: int
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]

    def report(self, error: BaseException | None) -> None:
        """Wake whoever waits for the batch. Called in a thread of the line."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self.loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: BaseException | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Line:
    """A short batch that comes while a long one is at work is done after a few items more, not after the long one.

    Between two items a thread does not wait for the event loop.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._batches: deque[_Batch] = deque()
        self._changed = threading.Condition()
        self._closed = False
        for number in range(threads):
            threading.Thread(target=self._serve, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Callable[[int], None], items: Iterable[int]) -> None:
        """Call `work` with each item, in threads. What it raises is raised here.

        When the caller is cancelled, what has not begun does not begin.
        """
        loop = asyncio.get_running_loop()
        waiting = deque(items)
        if not waiting:
            return
        batch = _Batch(work, waiting, len(waiting), loop, loop.create_future())
        with self._changed:
            self._batches.append(batch)
            self._changed.notify_all()
        try:
            await batch.done
        finally:
            with self._changed:
                self._leave(batch)

    def close(self) -> None:
        """Let the threads end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _serve(self) -> None:
        while (taken := self._take()) is not None:
            batch, item = taken
            try:
                batch.work(item)
            except BaseException as error:
                batch.report(error)
            with self._changed:
                batch.left -= 1
                last = not batch.left
            if last:
                batch.report(None)

    def _take(self) -> tuple[_Batch, int] | None:
        """Wait for the next item of the batch whose turn it is; None when the line is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._batches)
            if self._closed:
                return None
            batch = self._batches.popleft()
            item = batch.waiting.popleft()
            if batch.waiting:
                self._batches.append(batch)
            return batch, item

    def _leave(self, batch: _Batch) -> None:
        batch.waiting.clear()
        if batch in self._batches:
            self._batches.remove(batch)
