"""Meters: how often something was done in the last minute, for a tenant and its key at once.

The port, and the adapter for PostgreSQL; that for Redis is `adapters/redis.py`. Both count a window in twelfths, and the
oldest counts whole until all of it has passed: in any window never more is granted than the quota. Time is the store's.
"""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from knowlog.database import Connection, Database, ReadOnly, Scope
from knowlog.tenants.limits import SQL

SLOTS = 12


@dataclass(frozen=True, slots=True)
class Ask:
    """Between `least` and `most` of a quota for every holder at once; `least` 0 and `most` 0: how much is left."""

    tenant_id: UUID
    counted: str
    quotas: tuple[tuple[UUID, int], ...]
    least: int
    most: int
    window_s: int = 60


@dataclass(frozen=True, slots=True)
class Grant:
    """So many may be done now; `remaining`: for each holder, what is left after that. Where nothing was granted, `least`
    will be after `wait_s`; None if never.
    """

    granted: int
    remaining: tuple[int, ...]
    wait_s: float | None


class Meter(Protocol):
    """Where it is counted."""

    async def take(self, ask: Ask) -> Grant:
        """Take from the quotas. Raises Unavailable."""

    async def close(self) -> None:
        """Close connections."""


class PostgresMeter:
    """Counts in rows that are written to no log: a grant waits for no disk."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, ask: Ask) -> Grant:
        """See `Meter`."""
        try:
            async with self._database.transaction(Scope(ask.tenant_id, "limits")) as connection:
                return await take_in(connection, ask)
        except ReadOnly:  # its tenant is being moved: what is read in these seconds is not counted
            return Grant(max(1, ask.least), tuple(quota for _, quota in ask.quotas), None)

    async def close(self) -> None:
        """Nothing of its own is open."""


async def take_in(connection: Connection, ask: Ask) -> Grant:
    """Take within a transaction of the tenant, the holders always in one order."""
    holders, quotas = zip(*ask.quotas, strict=True)
    row = await connection.fetchrow(
        SQL["take"], list(holders), ask.counted, list(quotas), ask.window_s, ask.least, ask.most
    )
    return Grant(row["granted"], tuple(row["remaining"]), row["wait_s"])
