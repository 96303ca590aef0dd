"""What wakes those that watch a document."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from knowlog.edge import Progress
from knowlog.kernel.errors import Unavailable


class Restarting:
    """A database that can be listened to, breaks, refuses, and comes back."""

    silos = ()

    async def silo(self, _name: str) -> "Restarting":
        return self

    def __init__(self) -> None:
        self.heard: Callable[[str], None] = print
        self.attempts = 0
        self.listening = asyncio.Event()

    @asynccontextmanager
    async def listen(self, _channel: str, heard: Callable[[str], None]) -> AsyncIterator[None]:
        """Listen; every second attempt is refused."""
        self.attempts += 1
        if self.attempts % 2 == 0:
            raise Unavailable("PostgreSQL is starting.")
        self.heard = heard
        self.listening.set()
        yield


async def test_after_a_restart_of_the_database_reports_are_heard_again() -> None:
    """The broken connection is told as "broken"; a refusal meanwhile does not end the attempts."""
    database = Restarting()
    progress = Progress(database, reconnect_s=0.01)  # type: ignore[arg-type]
    tenant, document = uuid4(), uuid4()
    async with asyncio.timeout(5), progress.watch(tenant, document) as watcher:
        await database.listening.wait()
        database.listening.clear()
        database.heard("broken")
        await database.listening.wait()
        assert (database.attempts, watcher.changed.is_set()) == (3, False)
        database.heard(f"{tenant}:{document}")
        await watcher.changed.wait()
        database.heard(f"{tenant}:{document} 64/200")
        assert watcher.embedded == (64, 200)
    await progress.close()


class Stubborn:
    """A database that makes an error of its own of every cancellation, as a library may that connects or closes."""

    silos = ()

    async def silo(self, _name: str) -> "Stubborn":
        return self

    def __init__(self) -> None:
        self.listening = asyncio.Event()

    @asynccontextmanager
    async def listen(self, _channel: str, _heard: Callable[[str], None]) -> AsyncIterator[None]:
        """Listen until cancelled."""
        self.listening.set()
        try:
            yield
        except asyncio.CancelledError:
            raise Unavailable("The connection is closed.") from None


async def test_listening_ends_also_where_the_database_hides_the_cancellation() -> None:
    """Else a server that stops would wait for ever."""
    database = Stubborn()
    progress = Progress(database, reconnect_s=0.01)  # type: ignore[arg-type]
    async with asyncio.timeout(5), progress.watch(uuid4(), uuid4()):
        await database.listening.wait()
        await progress.close()
