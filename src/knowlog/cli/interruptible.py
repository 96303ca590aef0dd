"""Running something until it ends or the user has had enough."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")


class Interrupted(Exception):
    """The user pressed Ctrl-C, or the machine is stopping; everything was tidied up."""


def run_interruptibly(
    work: Coroutine[Any, Any, Result], loop: Callable[[], asyncio.AbstractEventLoop] | None = None
) -> Result:
    """Run a coroutine; SIGINT and SIGTERM cancel it, so that its `finally` blocks stop what it started. `loop` makes
    another event loop than Python's own.

    Raises Interrupted when it was cancelled so. Further signals while it tidies up change nothing.
    """

    async def main() -> Result:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work)
        asked = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, _once(asked, task))
        try:
            return await task
        except asyncio.CancelledError:
            if task.cancelled():
                raise Interrupted from None
            raise  # it has exited, which ends the loop: what reads our output has seen enough

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main())


def _once(asked: asyncio.Event, task: "asyncio.Future[Any]") -> Any:
    def cancel() -> None:
        if not asked.is_set():
            asked.set()
            task.cancel()

    return cancel
