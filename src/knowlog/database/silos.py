"""Where a tenant lives: in the home database, or in a silo. The databases themselves say so, at the begin of each
transaction; what a process remembers only saves the way over the home.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from time import monotonic
from typing import Any
from uuid import UUID

import asyncpg

from knowlog.database.migrations import prepare_schema
from knowlog.database.pool import Connection, Database, Elsewhere, open_pool
from knowlog.database.settings import HERE, DatabaseSettings, beside, database_of
from knowlog.kernel.errors import KnowlogError, Misconfigured, Unavailable

_LOG = logging.getLogger("knowlog.database")
_NOBODY = UUID(int=0)
_PAUSES_S = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
"""Between two looks for a tenant that is just changing its place."""
_RESTS_S = 2.0
"""So long a silo that did not answer is not tried again."""
_MOST_KNOWN = 100_000
_FRESH_S = 30.0
"""So long a process goes straight to a silo, before it asks the home again."""
FORGOTTEN_S = 60.0
"""After so long no process goes to a silo that a tenant has left without having asked the home."""


class Home(Database):
    """The home database, and the way to the silos. Transactions of a tenant open where it lives; all others here."""

    def __init__(self, pool: asyncpg.Pool, url: str, owner_url: str, settings: DatabaseSettings) -> None:
        super().__init__(pool, url, owner_url)
        self._settings = settings
        self._urls: Mapping[str, tuple[str, str]] = settings.silo_urls
        self.silos = sorted(self._urls)
        self._open_silos: dict[str, Silo] = {}
        self._resting: dict[str, tuple[float, Unavailable]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._away: dict[UUID, tuple[str, float]] = {}

    async def silo(self, name: str) -> Database:
        """See `Database.silo`."""
        if found := self._open_silos.get(name):
            return found
        if name not in self._urls:
            return await super().silo(name)
        async with self._locks.setdefault(name, asyncio.Lock()):
            return self._open_silos.get(name) or await self._open_silo(name)

    async def _open_silo(self, name: str) -> "Silo":
        until, error = self._resting.get(name, (0.0, None))
        if error is not None and monotonic() < until:
            raise error
        url, owner_url = self._urls[name]
        try:
            if url == HERE:
                url, owner_url = beside(self._url, name), beside(self._owner_url, name)
                await self._make_beside(name)
            await prepare_schema(url, owner_url)
            opened = Silo(await open_pool(self._settings, url), url, owner_url, name, self)
        except KnowlogError as problem:
            _LOG.warning("the silo %s cannot be opened: %s", name, problem.detail)
            refusal = Unavailable("The database of your tenant does not answer. Try again in a moment.")
            self._resting[name] = monotonic() + _RESTS_S, refusal
            raise refusal from problem
        self._open_silos[name] = opened
        return opened

    def known_place(self, tenant_id: UUID) -> Database:
        """See `Database.known_place`."""
        name, _ = self._away.get(tenant_id, ("", 0.0))
        return self._open_silos.get(name, self)

    async def look(self, question: str, tenant_id: UUID, *values: Any) -> Any | None:
        """See `Database.look`."""
        place = self.known_place(tenant_id)
        if place is self:
            return await super().look(question, tenant_id, *values)
        return await place.look(question, tenant_id, *values)

    async def of(self, tenant_id: UUID) -> Database:
        """The database in which a tenant lives, with the accounts of its people. Raises Unavailable."""
        name = await self.place_of(tenant_id)
        return self if name is None else await self.silo(name)

    async def place_of(self, tenant_id: UUID) -> str | None:
        """The name of the silo in which a tenant lives; None for the home."""
        async with self.system() as connection:
            found: str | None = await connection.fetchval("select place_of($1)", tenant_id)
        return found

    async def everywhere(self) -> list[Database]:
        """The home and every silo. Raises Unavailable where one does not answer."""
        return [self, *[await self.silo(name) for name in self.silos]]

    async def reachable(self) -> list[Database]:
        """The home, and every silo that answers."""
        found: list[Database] = [self]
        for name in self.silos:
            try:
                silo = await self.silo(name)
                async with silo.system():
                    found.append(silo)
            except Unavailable as error:
                _LOG.warning("the silo %s is left out: %s", name, error.detail)
        return found

    async def forget(self, tenant_id: UUID) -> bool:
        """See `Database.forget`."""
        self._away.pop(tenant_id, None)
        async with self.system() as connection:
            return bool(await connection.fetchval("select forget_place($1)", tenant_id))

    def _enter(self, begin: str, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        return (
            self._enter_home(begin, tenant_id)
            if tenant_id not in self._away
            else self._find(begin, tenant_id)
        )

    @asynccontextmanager
    async def _enter_home(self, begin: str, tenant_id: UUID) -> AsyncIterator[Connection]:
        entered = False
        try:
            async with self._shared(begin, tenant_id) as connection:
                entered = True
                yield connection
        except Elsewhere as error:
            if entered:
                raise
            self._note(tenant_id, error.silo)
        if not entered:
            async with self._find(begin, tenant_id) as connection:
                yield connection

    @asynccontextmanager
    async def _find(self, begin: str, tenant_id: UUID) -> AsyncIterator[Connection]:
        """Open a transaction of a tenant that lives elsewhere, or is just coming back."""
        entered = False
        for pause_s in _PAUSES_S:
            await asyncio.sleep(pause_s)
            name, until = self._away.get(tenant_id, ("", 0.0))
            place: Database = await self.silo(name) if monotonic() < until else self
            try:
                async with place._shared(begin, tenant_id) as connection:
                    entered = True
                    yield connection
                    return
            except Elsewhere as error:
                if entered:
                    raise
                self._note(tenant_id, error.silo if place is self else "")
        raise Unavailable("Your tenant is just being moved. Nothing was changed; try again in a moment.")

    async def _make_beside(self, name: str) -> None:
        """Make the database of a silo on the server of the home, unless it is there. Raises Misconfigured."""
        async with self.owner() as owner:
            if await owner.fetchval(
                "select exists (select from pg_database where datname = $1)", database_of(name)
            ):
                return
            try:
                await owner.execute(f'create database "{database_of(name)}"')
            except asyncpg.DuplicateDatabaseError:
                return
            except asyncpg.PostgresError as error:
                raise Misconfigured(f"The database {database_of(name)} cannot be made: {error}.") from error

    def _note(self, tenant_id: UUID, silo: str) -> None:
        if not silo:
            self._away.pop(tenant_id, None)
        else:
            if len(self._away) >= _MOST_KNOWN:
                self._away.clear()
            self._away[tenant_id] = silo, monotonic() + _FRESH_S

    async def close(self) -> None:
        """Close every connection, of the silos too."""
        for silo in self._open_silos.values():
            await silo.close()
        await super().close()


class Silo(Database):
    """A database of its own for some tenants. What belongs to no tenant is here as well: the accounts of their people."""

    def __init__(self, pool: asyncpg.Pool, url: str, owner_url: str, name: str, home: Home) -> None:
        super().__init__(pool, url, owner_url)
        self.name = name
        self._home = home

    async def of(self, tenant_id: UUID) -> Database:
        """See `Home.of`."""
        return await self._home.of(tenant_id)

    def _enter(self, begin: str, tenant_id: UUID) -> AbstractAsyncContextManager[Connection]:
        return self._shared(begin, tenant_id) if tenant_id == _NOBODY else self._home._enter(begin, tenant_id)
