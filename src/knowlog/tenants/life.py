"""The life of a tenant: suspended, going on, deleted with a proof. For the operator."""

from collections import Counter
from typing import Any
from uuid import UUID

from knowlog.bus import notify_progress
from knowlog.database import Connection, Database, InTheWay, Scope
from knowlog.kernel.errors import Invalid, NotFound
from knowlog.tenants.actions import get_tenant, list_keys, operator_principal
from knowlog.tenants.audit import OPERATORS_CHAIN, record_as_operator, record_in_operators_chain
from knowlog.tenants.model import NO_TENANT, Tenant

_LONGEST_REASON = 500
_PATIENCE_S = 3600
_DELETIONS = 3


async def suspend_tenant(database: Database, tenant_id: UUID, because: str) -> Tenant:
    """Refuse all calls of a tenant from now on, and leave its jobs; nothing is lost. Raises Invalid, NotFound.

    Suspending again changes the reason only. What a worker is just finishing is finished.
    """
    if not because.isprintable() or len(because) > _LONGEST_REASON:
        raise Invalid(f"A reason has at most {_LONGEST_REASON} printable characters.")
    scope = operator_principal(tenant_id).scope
    async with database.system_of(tenant_id) as connection:
        if not await connection.fetchval("select suspend_tenant($1, $2)", tenant_id, because or None):
            raise NotFound(NO_TENANT)
        told = {"because": because}
        await record_as_operator(connection, scope, "tenant.suspended", f"tenant:{tenant_id}", told)
    await _end_streams(database, scope)
    return await get_tenant(database, tenant_id)


async def resume_tenant(database: Database, tenant_id: UUID) -> Tenant:
    """Let a tenant go on where it stood. Raises NotFound."""
    scope = operator_principal(tenant_id).scope
    async with database.system_of(tenant_id) as connection:
        if not await connection.fetchval("select resume_tenant($1)", tenant_id):
            raise NotFound(NO_TENANT)
        await record_as_operator(connection, scope, "tenant.resumed", f"tenant:{tenant_id}")
    return await get_tenant(database, tenant_id)


async def delete_tenant(database: Database, tenant_id: UUID) -> dict[str, Any]:
    """Delete a tenant and every row that belongs to it, and prove it. Raises NotFound.

    The receipt counts what was removed in each table, and says in how many tables, read from the catalog, nothing was
    found afterwards; else nothing is deleted. Original bytes are not here: see `complete_receipt`.
    """
    receipt = await _delete_rows(database, tenant_id)
    await database.forget(tenant_id)  # also where a process was killed between the two
    if receipt is None:
        raise NotFound(NO_TENANT)
    return receipt


async def _delete_rows(database: Database, tenant_id: UUID) -> dict[str, Any] | None:
    """Workers write for the tenant meanwhile: of two that wait for each other one is refused, and does it again."""
    for left in reversed(range(_DELETIONS)):
        try:
            async with database.system_of(tenant_id) as connection:
                return await _delete_with_receipt(connection, tenant_id)
        except InTheWay:
            if not left:
                raise
    return None


async def _delete_with_receipt(connection: Connection, tenant_id: UUID) -> dict[str, Any] | None:
    receipt: dict[str, Any] | None = await connection.fetchval(
        "select delete_tenant_with_receipt($1)", tenant_id, timeout=_PATIENCE_S
    )
    if receipt is not None:
        scope = operator_principal(tenant_id).scope
        told = {"audit_head": receipt["audit_head"], "rows_removed": receipt["rows_removed"]}
        await record_in_operators_chain(connection, scope, "tenant.deleted", f"tenant:{tenant_id}", told)
    return receipt


async def complete_receipt(
    database: Database, tenant_id: UUID, removed: int, left: int
) -> dict[str, Any] | None:
    """Add to a deleted tenant's receipt how many original files were removed, and how many are still found."""
    originals = {"removed": removed, "left": left}
    for place in await database.reachable():
        async with place.system() as connection:
            receipt: dict[str, Any] | None = await connection.fetchval(
                "select complete_receipt($1, $2, $3)", tenant_id, originals, left == 0
            )
        if receipt is not None:
            return receipt
    return None


async def unfinished_receipts(database: Database) -> list[UUID]:
    """The deleted tenants of which original bytes may be left: a process was killed between two steps."""
    async with database.system() as connection:
        return [row[0] for row in await connection.fetch("select unfinished_receipts()")]


async def get_tenant_receipt(database: Database, tenant_id: UUID) -> dict[str, Any]:
    """The receipt of a deleted tenant, as it was kept. Raises NotFound."""
    for place in await database.reachable():
        async with place.transaction(Scope(OPERATORS_CHAIN, "operator")) as connection:
            receipt: dict[str, Any] | None = await connection.fetchval(
                "select receipt from tenant_receipts where tenant_id = tenant() and deleted_id = $1",
                tenant_id,
            )
        if receipt is not None:
            return receipt
    raise NotFound("There is no receipt: no such tenant was deleted.")


async def rows_of_tenant(database: Database, tenant_id: UUID) -> dict[str, int]:
    """Search every table that has tenants, in every database that answers: how many rows each has of this one."""
    found: Counter[str] = Counter()
    for place in await database.reachable():
        async with place.system() as connection:
            found.update(
                await connection.fetchval("select rows_of_tenant($1)", tenant_id, timeout=_PATIENCE_S)
            )
    return dict(found)


async def _end_streams(database: Database, scope: Scope) -> None:
    """Wake the event streams of all keys: each looks at its key, and ends."""
    async with database.transaction(scope) as connection:
        for key in await list_keys(connection):
            if key.revoked_at is None:
                await notify_progress(connection, scope.tenant_id, key.key_id)
