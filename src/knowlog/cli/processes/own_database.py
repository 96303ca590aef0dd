"""The embedded PostgreSQL of a process that is run alone, without `knowlog up`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from knowlog.cli.running import is_up
from knowlog.database import EmbeddedServer, connect
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings

_MARK = "postgres.alone"
"""In the data directory: the process id of a server that was started for a process that runs alone."""
_LOOKS = 5
_LOOK_EVERY_S = 0.2
_OTHERS = """
    select exists (select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())"""


@contextmanager
def own_database(settings: Settings) -> Iterator[None]:
    """Start the embedded server unless it runs or the settings name another; the last to leave stops it.

    It stays for whoever uses it at the end: a `knowlog up`, which then stops it, or another process that runs alone,
    which does so when it ends. One that something else has started is left as it is. Raises Misconfigured, Unavailable.
    """
    if settings.database.url is not None:
        yield
        return
    server = EmbeddedServer(settings.data_dir, settings.database)
    mark = settings.data_dir / _MARK
    if server.start():
        mark.write_text(f"{server.process_id}\n")
    try:
        yield
    finally:
        if _is_ours(server, mark) and not is_up(settings.data_dir):
            with suppress(KnowlogError):  # it is gone, or takes nobody any more
                asyncio.run(_stop_unless_used(server))


def _is_ours(server: EmbeddedServer, mark: Path) -> bool:
    """Whether the server that runs now was started by a process that ran alone: this one, or one that is gone."""
    with suppress(OSError):
        return mark.read_text().strip() == str(server.process_id)
    return False


async def _stop_unless_used(server: EmbeddedServer) -> None:
    """Stop the server when nobody is connected. Our own connections may take a moment to end."""
    for _ in range(_LOOKS):
        connection = await connect(server.url("postgres"))
        others = await connection.fetchval(_OTHERS)
        await connection.close()
        if not others:
            await asyncio.to_thread(server.stop)
            return
        await asyncio.sleep(_LOOK_EVERY_S)
