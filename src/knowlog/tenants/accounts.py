"""The accounts of people move with their tenant: each database has those of its own tenants' members.

Whoever has an account at the new place already keeps that one, with its password.
"""

from typing import Any
from uuid import UUID

from knowlog.database import Connection, Database
from knowlog.tenants.second_factor import purpose_of_factor
from knowlog.tenants.vault import INSTALLATION, Vault

_COLUMNS = (
    "person_id", "email", "created_at", "password_hash", "password_changed_at", "totp_sealed", "totp_since",
    "totp_step", "recovery_hashes",
)  # fmt: skip
_PEOPLE = f"""
    select {", ".join("p." + each for each in _COLUMNS)} from people p join members m on m.person_id = p.person_id
    where m.tenant_id = $1"""  # noqa: S608 - names of ours
_FORGET_COPY = """
    delete from people p where p.email = any($2::text[])
    and not exists (select from members m where m.person_id = p.person_id and m.tenant_id <> $1)"""
_INSERT = f"""
    insert into people ({", ".join(_COLUMNS)})
    values ({", ".join(f"${number}" for number in range(1, len(_COLUMNS) + 1))}) on conflict do nothing"""  # noqa: S608
_NOWHERE = """
    select x.person_id from people x where not exists (select from members m where m.person_id = x.person_id)
    order by x.person_id for update"""
_DROP = """
    delete from {} x where x.person_id = any($1::uuid[])
    and not exists (select from members m where m.person_id = x.person_id)"""
"""In a statement of its own, behind the locks: it sees who became a member while they were waited for."""
_SIGNED = "select key_id, public_key from signing_keys where created_at > now() - interval '31 days'"
_VERIFIES = """
    insert into signing_keys (key_id, public_key, sealed, created_at)
    values ($1, $2, '', now() - interval '30 days 1 minute') on conflict do nothing"""


async def copy_accounts(
    source: Connection, target: Connection, old: Database, new: Database, vault: Vault, tenant_id: UUID
) -> None:
    """Bring the accounts of a tenant's members to its new place, in movers' sessions.

    Access tokens given at the old place are good at the new one as long as they last; keys that sign stay where they are.
    """
    people = await source.fetch(_PEOPLE, tenant_id)
    async with target.transaction():
        await target.execute(_FORGET_COPY, tenant_id, [row["email"] for row in people])
        for row in people:
            await target.execute(_INSERT, *(await _resealed(row, old, new, vault)).values())
        for row in await source.fetch(_SIGNED):
            await target.execute(_VERIFIES, row["key_id"], row["public_key"])


async def drop_accounts(connection: Connection) -> None:
    """Forget everybody who is a member nowhere in this database, once a mover's session has taken members away."""
    async with connection.transaction():
        found = [row["person_id"] for row in await connection.fetch(_NOWHERE)]
        for table in ("password_resets", "sign_in_origins", "people"):
            await connection.execute(_DROP.format(table), found)


async def _resealed(row: Any, old: Database, new: Database, vault: Vault) -> dict[str, Any]:
    """A person as the new place keeps them: sealed under its own data key."""
    values = dict(row)
    if row["totp_sealed"] is not None:
        purpose = purpose_of_factor(row["person_id"])
        async with old.transaction(INSTALLATION) as connection:
            secret = await vault.open(connection, purpose, row["totp_sealed"])
        async with new.transaction(INSTALLATION) as connection:
            values["totp_sealed"] = await vault.seal(connection, purpose, secret)
    return values
