"""The language model that a tenant entrusts for its own questions. Its key is one of the tenant's secrets."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel.errors import NotFound
from knowlog.tenants.audit import record
from knowlog.tenants.secrets import read_secret, remove_secret, set_secret
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants", "own_models.sql")
KEY_OF_OWN_MODEL = "language-model.key"


@dataclass(frozen=True, slots=True)
class OwnModel:
    """A model by its endpoint, as it may be shown; `hint` is the end of its key, empty without one. `alone`: where it
    does not answer, no model of the operator's is asked.
    """

    model: str
    url: str
    alone: bool
    hint: str
    changed_at: datetime
    changed_by: str
    key_changed_at: datetime | None


async def own_model(connection: Connection) -> OwnModel | None:
    """The tenant's own model; None where there is none."""
    row = await connection.fetchrow(_SQL["get"], KEY_OF_OWN_MODEL)
    return None if row is None else OwnModel(**row)


async def set_own_model(
    connection: Connection, vault: Vault, scope: Scope, model: str, url: str, key: str | None, *, alone: bool
) -> None:
    """Keep a model and its key in place of older ones. The caller has checked where the address leads. Raises Invalid."""
    if key is None:
        with suppress(NotFound):
            await remove_secret(connection, scope, KEY_OF_OWN_MODEL)
    else:
        await set_secret(connection, vault, scope, KEY_OF_OWN_MODEL, key)
    await connection.execute(_SQL["put"], model, url, alone, scope.principal)
    await record(connection, scope, "language_model.kept", None, {"model": model, "url": url, "alone": alone})


async def remove_own_model(connection: Connection, scope: Scope) -> None:
    """Forget the model and its key. Raises NotFound."""
    if not await connection.fetchval(_SQL["remove"]):
        raise NotFound("There is no language model of your tenant's own.")
    with suppress(NotFound):
        await remove_secret(connection, scope, KEY_OF_OWN_MODEL)
    await record(connection, scope, "language_model.removed")


async def key_of_own_model(connection: Connection, vault: Vault) -> str | None:
    """Its key, for the room that asks it; None where it needs none. Raises Unavailable."""
    try:
        return await read_secret(connection, vault, KEY_OF_OWN_MODEL)
    except NotFound:
        return None
