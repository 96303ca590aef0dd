"""The keys that sign access tokens: in the database, the private half sealed, a new one every month."""

from base64 import b64decode, b64encode
from datetime import timedelta
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from joserfc.jwk import OKPKey

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.tenants.audit import record_in_operators_chain
from knowlog.tenants.tokens import Signer
from knowlog.tenants.vault import INSTALLATION, Vault

_SQL = load_queries("knowlog.tenants", "people.sql")
_SIGNS_FOR = timedelta(days=30)
_KEPT_FOR = _SIGNS_FOR + timedelta(days=1)
"""A key verifies for longer than it signs: what it signed last is good for an hour at most."""


async def signer(database: Database, vault: Vault) -> Signer:
    """The key that signs at this moment, made if there is none. Raises Misconfigured, Unavailable as the vault does."""
    async with database.transaction(INSTALLATION) as connection:
        found = await _newest(connection, vault)
        if found is None:
            await connection.execute(_SQL["lock_signing_keys"])
            found = await _newest(connection, vault) or await _make(connection, vault)
        return found


async def drop_signing_keys(database: Database) -> None:
    """Take back every key: what was signed is worth nothing any more, and sessions go on with their refresh tokens.

    Raises Unavailable where a silo does not answer: then it is to be repeated.
    """
    for place in await database.reachable():
        async with place.transaction(INSTALLATION) as connection:
            await connection.execute(_SQL["drop_signing_keys"], timedelta(0))
    async with database.system() as connection:
        await record_in_operators_chain(
            connection, Scope(INSTALLATION.tenant_id, "operator"), "signing_keys.taken_back"
        )
    await database.everywhere()


async def _newest(connection: Connection, vault: Vault) -> Signer | None:
    row = await connection.fetchrow(_SQL["newest_signing_key"], _SIGNS_FOR)
    if row is None:
        return None
    private = await vault.open(connection, _purpose(row["key_id"]), row["sealed"])
    return _signer(row["key_id"], Ed25519PrivateKey.from_private_bytes(b64decode(private)))


async def _make(connection: Connection, vault: Vault) -> Signer:
    key_id, key = new_id(), Ed25519PrivateKey.generate()
    private = b64encode(key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())).decode()
    sealed = await vault.seal(connection, _purpose(key_id), private)
    await connection.execute(_SQL["insert_signing_key"], key_id, _public(key), sealed)
    await connection.execute(_SQL["drop_signing_keys"], _KEPT_FOR)
    return _signer(key_id, key)


def _signer(key_id: UUID, key: Ed25519PrivateKey) -> Signer:
    return Signer(UUID(str(key_id)), OKPKey.import_key(key))


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _purpose(key_id: UUID) -> str:
    return f"signing key:{key_id}"
