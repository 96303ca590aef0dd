"""The databases on which a world stands: copies of one that is migrated and empty, thrown away at the end."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from knowlog.database import EmbeddedServer


@dataclass(frozen=True)
class Ground:
    """A home, and a silo that is made when it is needed. `sql` and `silo_sql`: what their owner does to the copies first.

    `template`: the database that is copied; none: an empty one is made.
    """

    server: EmbeddedServer
    template: str | None
    sql: str = ""
    silo_sql: str = ""
    name: str = field(default_factory=lambda: f"isolation_{uuid4().hex}")

    @property
    def url(self) -> str:
        """Where the application logs in."""
        return self._address("knowlog", self.name)

    @property
    def owner_url(self) -> str:
        """Where the schema's owner logs in."""
        return self._address("postgres", self.name)

    @property
    def silo_url(self) -> str:
        """Where the application logs in, in the silo."""
        return self._address("knowlog", f"{self.name}_silo")

    @property
    def silo_owner_url(self) -> str:
        """Where the schema's owner logs in, in the silo."""
        return self._address("postgres", f"{self.name}_silo")

    async def make(self) -> None:
        """Make the home."""
        await self._copy(self.name, self.owner_url, self.sql)

    async def make_silo(self) -> None:
        """Make the silo."""
        await self._copy(f"{self.name}_silo", self.silo_owner_url, self.silo_sql)

    async def drop(self) -> None:
        """Remove both, with everything in them."""
        for name in (self.name, f"{self.name}_silo"):
            await self._run(self.server.url("postgres"), f"drop database if exists {name} with (force)")

    async def _copy(self, name: str, owner_url: str, sql: str) -> None:
        of = f" template {self.template}" if self.template else ""
        settled = f"alter database {name} set synchronous_commit = off"
        await self._run(self.server.url("postgres"), f"create database {name}{of}", settled)
        if sql:
            await self._run(owner_url, f"set search_path = knowlog, public; {sql}")

    def _address(self, login: str, name: str) -> str:
        return urlsplit(self.server.url(login))._replace(path=f"/{name}").geturl()

    async def _run(self, url: str, *statements: str) -> None:
        owner = await asyncpg.connect(url)
        for each in statements:
            await owner.execute(each)
        await owner.close()
