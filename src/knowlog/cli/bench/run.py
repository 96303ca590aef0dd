"""What all benchmarks share: open the system, measure, publish."""

from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from types import MappingProxyType

from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.bench.system import System, open_system
from knowlog.cli.interruptible import run_interruptibly


def run_bench(
    measure: Callable[[System], Awaitable[Report]],
    url: str | None,
    operator_key: str | None,
    json_file: Path | None,
    connections: int = 8,
    environment: AbstractAsyncContextManager[Mapping[str, str]] | None = None,
    fixed: Mapping[str, str] = MappingProxyType({}),
    loop: Callable[[], AbstractEventLoop] | None = None,
) -> None:
    """Run a benchmark against a system with a tenant of its own, and publish what it found.

    `environment` yields further settings of a private system; what serves them lives as long as it. `fixed` are further
    settings, too. `loop` makes the event loop of the measuring side.
    """
    check_writable(json_file)

    async def main() -> Report:
        async with (
            environment or nullcontext({}) as further,
            open_system(url, operator_key, connections, {**further, **fixed}) as system,
        ):
            return await measure(system)

    publish(run_interruptibly(main(), loop), json_file)
