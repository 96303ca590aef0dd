"""Moves of tenants between databases, as the operator asks for them and sees them. Workers do them (`moving`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.database import Connection, Database
from knowlog.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from knowlog.tenants.actions import get_tenant, operator_principal
from knowlog.tenants.audit import record_in_operators_chain

Step = Literal["asked", "copying", "holding", "switched", "done", "given up"]
HOME = "home"
"""How the home database is called beside the silos."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move of a tenant from one database to another. While it is `holding`, the tenant is read and not written; once it
    is `switched`, it lives at its new place. `reason`: why it stands still, or was given up.
    """

    tenant_id: UUID
    source: str
    target: str
    step: Step
    cancelled: bool
    rows_copied: int
    held_s: float | None
    reason: str | None
    asked_at: datetime
    changed_at: datetime
    finished_at: datetime | None

    @classmethod
    def read(cls, row: Any) -> "Move":
        """A move from its row."""
        told = row["told"]
        return cls(
            row["moved_id"], row["source"] or HOME, row["target"] or HOME, row["step"], row["cancelled"],
            sum(each["rows"] for each in told.get("tables", {}).values()), told.get("held_s"), row["reason"],
            row["asked_at"], row["changed_at"], row["finished_at"],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A database of the installation: the home or a silo, how many tenants live there, and what is wrong with it."""

    name: str
    tenants: int
    problem: str | None


async def list_places(database: Database) -> list[Place]:
    """The home, then the silos. Of one that does not answer the home knows how many tenants it has."""
    async with database.system() as connection:
        known = {
            row["silo"]: row["tenants"] for row in await connection.fetch("select * from silo_overview()")
        }
        here: int = await connection.fetchval("select tenants_here()")
    silos = [Place(name, known.get(name, 0), await _problem(database, name)) for name in database.silos]
    return [Place(HOME, here, None), *silos]


async def _problem(database: Database, name: str) -> str | None:
    try:
        place = await database.silo(name)
        async with place.system():
            return None
    except Unavailable as error:
        return error.detail


async def ask_move(database: Database, tenant_id: UUID, target: str) -> Move:
    """Have workers move a tenant to a silo, or to the home; it is used meanwhile. For the operator.

    Raises NotFound, Invalid for a silo that the settings do not have, Conflict while it is being moved or where it is
    there already, Unavailable.
    """
    tenant = await get_tenant(database, tenant_id)
    if target != HOME and target not in database.silos:
        known = ", ".join((HOME, *database.silos))
        raise Invalid(f"There is no silo {target!r:.80} in KNOWLOG_DATABASE_SILOS. Known are: {known}.")
    if target == (tenant.silo or HOME):
        raise Conflict(f"The tenant is there already: {target}.")
    if target != HOME:
        await database.silo(target)  # one that does not answer is told of here
    async with database.system() as connection:
        wanted = None if target == HOME else target
        if not await connection.fetchval("select ask_move($1, $2, $3)", tenant_id, tenant.silo, wanted):
            raise Conflict(
                "This tenant is being moved already. `knowlog tenants move TENANT` shows how far it is."
            )
        scope, told = operator_principal(tenant_id).scope, {"source": tenant.silo or HOME, "target": target}
        await connection.execute("select pg_notify('knowlog_work', '')")
        await record_in_operators_chain(connection, scope, "tenant.move_asked", f"tenant:{tenant_id}", told)
        return await _one(connection, tenant_id)


async def get_move(database: Database, tenant_id: UUID) -> Move:
    """The last move of a tenant. Raises NotFound."""
    async with database.system() as connection:
        return await _one(connection, tenant_id)


async def cancel_move(database: Database, tenant_id: UUID) -> Move:
    """Give a move up: the tenant stays where it is. Raises NotFound, Conflict once it is at its new place."""
    async with database.system() as connection:
        await _one(connection, tenant_id)
        if not await connection.fetchval("select cancel_move($1)", tenant_id):
            raise Conflict(
                "The move is over, or the tenant is at its new place already. Move it back if you like."
            )
        scope = operator_principal(tenant_id).scope
        await record_in_operators_chain(connection, scope, "tenant.move_cancelled", f"tenant:{tenant_id}")
        return await _one(connection, tenant_id)


async def unfinished_moves(database: Database) -> list[Move]:
    """The moves that workers are to do, the oldest first."""
    async with database.system() as connection:
        return [Move.read(row) for row in await connection.fetch("select * from moves_of(null)")]


async def _one(connection: Connection, tenant_id: UUID) -> Move:
    row = await connection.fetchrow("select * from moves_of($1)", tenant_id)
    if row is None:
        raise NotFound("This tenant was never moved.")
    return Move.read(row)
