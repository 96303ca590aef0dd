"""The embedded PostgreSQL of a process that is run alone, without `knowlog up`."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from knowlog.cli.running import is_up
from knowlog.database import EmbeddedServer, connect
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings

_LOOKS = 5
_LOOK_EVERY_S = 0.2
_OTHERS = """
    select exists (select from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid())"""


@contextmanager
def own_database(settings: Settings) -> Iterator[None]:
    """Start the embedded server unless it runs or the settings name another; stop what was started here.

    It stays for whoever uses it at the end: a `knowlog up`, which then stops it, or any other process. Raises
    Misconfigured, Unavailable.
    """
    if settings.database.url is not None:
        yield
        return
    server = EmbeddedServer(settings.data_dir, settings.database)
    started = server.start()
    try:
        yield
    finally:
        if started and not is_up(settings.data_dir):
            with suppress(KnowlogError):  # it is gone, or takes nobody any more
                asyncio.run(_stop_unless_used(server))


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
