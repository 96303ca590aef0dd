"""The knowlog that a benchmark measures: one that runs already, or a private one for the time being."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from uuid import UUID

from knowlog.cli.bench.connection import Connections
from knowlog.cli.client import Client
from knowlog.cli.connection import connect_operator
from knowlog.cli.output import say
from knowlog.cli.processes import Stack, free_port, open_stack
from knowlog.kernel.errors import InternalError
from knowlog.settings import Settings, load_settings

_LONGEST_CALL_S = 600.0
_LEFT_OUT = ("KNOWLOG_URL", "KNOWLOG_KEY", "KNOWLOG_API_HOST", "KNOWLOG_API_OPERATOR_KEY")


@dataclass(frozen=True, slots=True)
class System:
    """A knowlog with a tenant of the benchmark's own.

    `settings` are those of its processes; `stack` is a private one's.
    """

    url: str
    tenant_id: UUID
    key: str
    api: Connections
    settings: Settings
    stack: Stack | None


@asynccontextmanager
async def open_system(
    url: str | None,
    operator_key: str | None,
    connections: int = 8,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[System]:
    """Yield the system to measure, with a fresh tenant, which is deleted at the end.

    Without `url` a private one is started on a free port, its data in a temporary folder, which is removed instead;
    `environment` comes before the user's settings there.
    """
    if url is not None:
        with connect_operator(url, operator_key) as operator:
            async with _tenant(operator, load_settings(), connections, None) as system:
                yield system
        return
    say("Starting a private knowlog ...")
    async with private_folder() as folder, open_stack(private_environment(folder, environment)) as stack:
        with Client(stack.url, stack.operator_key, timeout_s=_LONGEST_CALL_S) as operator:
            async with _tenant(operator, stack.settings, connections, stack) as system:
                yield system


@asynccontextmanager
async def another_tenant(system: System, connections: int = 8) -> AsyncIterator[Connections]:
    """Yield connections of a second tenant of a private system."""
    if system.stack is None:
        raise InternalError("A second tenant needs a system of the benchmark's own.")
    with Client(system.url, system.stack.operator_key, timeout_s=_LONGEST_CALL_S) as operator:
        async with _tenant(operator, system.settings, connections, system.stack) as second:
            yield second.api


@asynccontextmanager
async def private_folder() -> AsyncIterator[Path]:
    """Yield a folder for the data of a private knowlog, which is removed at the end."""
    folder = _make_folder()
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _make_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="knowlog-bench-"))
    folder.chmod(0o755)
    return folder


def private_environment(
    folder: Path, further: Mapping[str, str], without: Collection[str] = ()
) -> dict[str, str]:
    """The user's settings, but for those that say where knowlog runs and those in `without`, and `further` ones."""
    kept = {name: value for name, value in os.environ.items() if name not in (*_LEFT_OUT, *without)}
    return {**kept, **further, "KNOWLOG_DATA_DIR": str(folder), "KNOWLOG_API_PORT": str(free_port())}


@asynccontextmanager
async def _tenant(
    operator: Client, settings: Settings, connections: int, stack: Stack | None
) -> AsyncIterator[System]:
    made = await asyncio.to_thread(operator.post, "/v1/tenants", {"name": "benchmark"})
    tenant_id = made["tenant"]["tenant_id"]
    try:
        async with Connections(operator.url, made["secret"], connections) as api:
            yield System(operator.url, UUID(tenant_id), made["secret"], api, settings, stack)
    finally:
        if stack is None:  # a private system goes with all that is in it
            await asyncio.to_thread(operator.delete, f"/v1/tenants/{tenant_id}")
