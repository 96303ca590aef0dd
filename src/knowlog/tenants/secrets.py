"""Secrets that a tenant entrusts by name, such as the key of its language model's provider. Nobody reads them back."""

import re
from dataclasses import dataclass
from datetime import datetime

from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.tenants.audit import record
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants", "secrets.sql")
SECRET_NAME = "^[a-z0-9][a-z0-9._-]{0,99}$"  # noqa: S105 - a pattern
MOST_SECRET_CHARS = 16_384
_MOST = 100
_HINTED_FROM = 16
_HINT_CHARS = 4


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret as it may be shown: its name, and a hint by which its owner knows it again; empty for a short one."""

    name: str
    hint: str
    created_at: datetime
    updated_at: datetime
    updated_by: str


async def set_secret(
    connection: Connection, vault: Vault, scope: Scope, name: str, value: str
) -> StoredSecret:
    """Keep a secret under a name, in place of an older one. Raises Invalid, Conflict when there are too many."""
    _check_name(name)
    if not 1 <= len(value) <= MOST_SECRET_CHARS or "\0" in value:
        raise Invalid(f"A secret has 1 to {MOST_SECRET_CHARS:,} characters and no NUL.")
    if await connection.fetchval(_SQL["count"], name) >= _MOST:
        raise Conflict(f"There are {_MOST} secrets already. Remove one that is not needed.")
    hint = value[-_HINT_CHARS:] if len(value) >= _HINTED_FROM and value[-_HINT_CHARS:].isprintable() else ""
    sealed = await vault.seal(connection, _purpose(name), value)
    await record(connection, scope, "secret.kept", f"secret:{name}")
    return StoredSecret(**await connection.fetchrow(_SQL["put"], name, sealed, hint, scope.principal))


async def list_secrets(connection: Connection) -> list[StoredSecret]:
    """List the tenant's secrets by name; never their values."""
    return [StoredSecret(**row) for row in await connection.fetch(_SQL["list"])]


async def remove_secret(connection: Connection, scope: Scope, name: str) -> None:
    """Forget a secret. Raises NotFound."""
    if not await connection.fetchval(_SQL["remove"], name):
        raise NotFound("There is no such secret.")
    await record(connection, scope, "secret.removed", f"secret:{name}")


async def read_secret(connection: Connection, vault: Vault, name: str) -> str:
    """The value of a secret, for the room that uses it; it goes into no answer, log or event.

    Raises NotFound, Unavailable.
    """
    sealed = await connection.fetchval(_SQL["sealed"], name)
    if sealed is None:
        raise NotFound(f"There is no secret {name!r:.110}. An admin keeps one with `knowlog secrets set`.")
    return await vault.open(connection, _purpose(name), sealed)


def _check_name(name: str) -> None:
    if not re.fullmatch(SECRET_NAME, name):
        raise Invalid("A secret's name has 1 to 100 small letters, digits, points, dashes and underscores.")


def _purpose(name: str) -> str:
    return f"secret:{name}"
