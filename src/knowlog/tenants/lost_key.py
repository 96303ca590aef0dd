"""A key-encryption key that is lost for good: what it kept is given up, so that the installation starts again."""

from collections import Counter
from collections.abc import Mapping

from knowlog.database import Connection, Database, Home, Scope, load_queries
from knowlog.tenants.audit import OPERATORS_CHAIN, record_in_operators_chain
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants", "lost_key.sql")
_GIVEN_UP = (
    "secrets",
    "webhooks",
    "sign_ons",
    "signing_keys",
    "second_factors",
    "data_keys",
    "installation_keys",
)
"""In this order: what was sealed before that under which it was."""


async def give_up_lost(database: Home, vault: Vault) -> Mapping[str, int]:
    """Forget all data keys that the vault does not open, and what was sealed under them; what it opens stays.

    Returns how many of each kind. Each database is done in a transaction of its own; stopped in between, it is to be
    repeated. Raises Unavailable where a silo does not answer.
    """
    counts: Counter[str] = Counter(dict.fromkeys(_GIVEN_UP, 0))
    for each in await database.everywhere():
        counts.update(await _in_one(each, vault))
    async with database.system() as connection:
        scope = Scope(OPERATORS_CHAIN, "operator")
        await record_in_operators_chain(connection, scope, "secrets.given_up", None, counts)
    return counts


async def _in_one(database: Database, vault: Vault) -> Mapping[str, int]:
    async with database.owner() as connection, connection.transaction():
        await connection.execute("set local role knowlog_definer")
        rows = await connection.fetch(_SQL["wrapped"])
        lost = [
            row["tenant_id"]
            for row in rows
            if not vault.opens(row["tenant_id"], row["wrapped"], row["wrapped_by"])
        ]
        return {name: await _done(connection, name, lost) for name in _GIVEN_UP}


async def _done(connection: Connection, name: str, lost: list[object]) -> int:
    return int((await connection.execute(_SQL[name], lost)).split()[-1])
