"""The vault: what a tenant entrusts is encrypted under a data key of its own, and that under the installation's key.

AES-256-GCM throughout. The tenant and the purpose are authenticated with each ciphertext: moved to another tenant, or to
another purpose, it does not open. The key-encryption keys never reach the database, the data keys only wrapped.
"""

import hashlib
import os
import secrets
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel.errors import Misconfigured, Unavailable
from knowlog.kernel.wording import counted
from knowlog.tenants.settings import KEY_BYTES, SecretsSettings, read_keys

_SQL = load_queries("knowlog.tenants", "vault.sql")
_FORM = b"\x01"
_NONCE_BYTES = 12
_BATCH = 200
KEY_FILE = "secrets.key"
INSTALLATION = Scope(UUID(int=0), "installation")
"""Whose data key encrypts what belongs to a person and no tenant."""
_NO_KEY = (
    "KNOWLOG_SECRETS_KEY is not set, and what tenants entrust is kept under it. Make one with `openssl rand -base64 32`"
    " and give every process the same."
)
_OTHER_KEY = (
    "What is stored cannot be opened with the keys in KNOWLOG_SECRETS_KEY. Its operator must add the one under which it"
    " was stored, behind the current one."
)

_LOST_KEY = (
    "{} stored here and shut to the present key: put the file secrets.key back, or give its key in"
    " KNOWLOG_SECRETS_KEY, alone or behind the current one. If it is lost for good, `knowlog secrets give-up` goes on"
    " without what it kept: docs/guide/lost-key.md."
)


@dataclass(frozen=True, slots=True)
class Rotation:
    """How far the data keys are wrapped by the current key: re-wrapped in this step, still to be done, and of these
    those that no known key opens.
    """

    rewrapped: int
    left: int
    unopened: int


class Vault:
    """Seals and opens. `keys`: the current key-encryption key, then older ones; none: nothing can be sealed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = {key_id(key): AESGCM(key) for key in keys}
        self._current = next(iter(self._keys), None)

    @property
    def current(self) -> str:
        """The id of the key that wraps from now on. Raises Misconfigured when there is none."""
        if self._current is None:
            raise Misconfigured(_NO_KEY)
        return self._current

    async def seal(self, connection: Connection, purpose: str, text: str) -> bytes:
        """Encrypt `text` for the tenant of the transaction and one purpose. Raises Misconfigured, Unavailable."""
        tenant_id, data_key = await self._data_key(connection)
        return encrypt(data_key, _bound(tenant_id, purpose), text.encode())

    async def open(self, connection: Connection, purpose: str, sealed: bytes) -> str:
        """Decrypt what was sealed for the tenant of the transaction and this purpose. Raises Unavailable otherwise."""
        tenant_id, data_key = await self._data_key(connection)
        return decrypt(data_key, _bound(tenant_id, purpose), sealed).decode()

    async def _data_key(self, connection: Connection) -> tuple[UUID, AESGCM]:
        row = await connection.fetchrow(_SQL["data_key"])
        if row is None:
            data_key = secrets.token_bytes(KEY_BYTES)
            tenant_id = await connection.fetchval("select tenant()")
            await connection.execute(_SQL["insert_data_key"], self._wrap(tenant_id, data_key), self.current)
            row = await connection.fetchrow(_SQL["data_key"])  # perhaps another's, who was quicker
        return row["tenant_id"], AESGCM(self._unwrap(row["tenant_id"], row["wrapped"], row["wrapped_by"]))

    def _wrap(self, tenant_id: UUID, data_key: bytes) -> bytes:
        return encrypt(self._keys[self.current], _bound(tenant_id, "data key"), data_key)

    def _unwrap(self, tenant_id: UUID, wrapped: bytes, wrapped_by: str) -> bytes:
        if wrapped_by not in self._keys:
            raise Unavailable(_OTHER_KEY)
        return decrypt(self._keys[wrapped_by], _bound(tenant_id, "data key"), wrapped)

    def opens(self, tenant_id: UUID, wrapped: bytes, wrapped_by: str) -> bool:
        """Whether a data key opens with the keys that are known."""
        try:
            return len(self._unwrap(tenant_id, wrapped, wrapped_by)) == KEY_BYTES
        except Unavailable:
            return False

    def opens_with(
        self, tenant_id: UUID, wrapped: bytes, wrapped_by: str, purpose: str, sealed: bytes
    ) -> bool:
        """Whether something sealed opens with a tenant's data key, and that with the keys that are known."""
        try:
            data_key = AESGCM(self._unwrap(tenant_id, wrapped, wrapped_by))
            return bool(decrypt(data_key, _bound(tenant_id, purpose), sealed))
        except Unavailable:
            return False

    async def rotate(self, database: Database, most: int = _BATCH) -> Rotation:
        """Wrap up to `most` data keys of each database by the current key: called until none is left. Nothing stands
        still meanwhile, and killed at any moment it goes on where it was. Raises Misconfigured, Unavailable.
        """
        done = [await self._rotate(place, most) for place in await database.reachable()]
        await database.everywhere()  # nobody is to think that no old key is needed while one has not said so
        return Rotation(*map(sum, zip(*map(astuple, done), strict=True)))

    async def _rotate(self, database: Database, most: int) -> Rotation:
        rewrapped, unopened, after = 0, 0, None
        while rewrapped < most:
            async with database.system() as connection:
                rows = await connection.fetch(_SQL["wrapped_otherwise"], self.current, after, _BATCH)
                for row in rows[: most - rewrapped]:
                    if self.opens(row["tenant_id"], row["wrapped"], row["wrapped_by"]):
                        rewrapped += await self._rewrap(
                            connection, row["tenant_id"], row["wrapped"], row["wrapped_by"]
                        )
                    else:
                        unopened += 1
            if len(rows) < _BATCH:
                break
            after = rows[-1]["tenant_id"]
        async with database.system() as connection:
            left = await connection.fetchval(_SQL["count_otherwise"], self.current)
        return Rotation(rewrapped, left, unopened)

    async def _rewrap(self, connection: Connection, tenant_id: UUID, wrapped: bytes, wrapped_by: str) -> bool:
        anew = self._wrap(tenant_id, self._unwrap(tenant_id, wrapped, wrapped_by))
        return bool(await connection.fetchval(_SQL["rewrap"], tenant_id, wrapped, anew, self.current))


def open_vault(settings: SecretsSettings, data_dir: Path, *, here: bool) -> Vault:
    """The vault of this installation: its keys from the settings, or from the key file in the data directory, which is
    made where all of it is on this machine (`here`). Raises Misconfigured for a file that holds no keys.
    """
    if settings.key is not None:
        return Vault(read_keys(settings.key.get_secret_value()))
    path = data_dir / KEY_FILE
    if here:
        make_key_file(path)
    try:
        return Vault(read_keys(path.read_text()) if path.exists() else ())
    except (OSError, ValueError) as error:
        raise Misconfigured(f"{path} {error}. Restore it: without it, stored secrets do not open.") from error


async def stored_wrappings(connection: Connection) -> Sequence[Any]:
    """For each key-encryption key that was used: how many data keys it wraps, and one of them. Empty before the first."""
    if not await connection.fetchval("select to_regprocedure('knowlog.secret_health()')"):
        return []
    rows = await connection.fetch("select * from knowlog.secret_health()")
    return [row for row in rows if row["data_keys"]]


async def all_wrappings(database: Database) -> Sequence[Any]:
    """What `stored_wrappings` tells, for a process that is no owner of the schema."""
    async with database.system() as connection:
        return await stored_wrappings(connection)


def count_shut(vault: Vault, wrappings: Sequence[Any]) -> int:
    """How many data keys do not open with the keys that are known."""
    opened = (vault.opens(row["tenant_id"], row["wrapped"], row["wrapped_by"]) for row in wrappings)
    return sum(row["data_keys"] for row, opens in zip(wrappings, opened, strict=True) if not opens)


def require_opening(vault: Vault, wrappings: Sequence[Any]) -> None:
    """Raise Misconfigured where something stored does not open: a process that started would seal under another key."""
    if shut := count_shut(vault, wrappings):
        raise Misconfigured(_LOST_KEY.format(counted(shut, "data key")))


def make_key_file(path: Path) -> bool:
    """Make a key file, readable by its owner alone, unless there is one. Returns whether it was made.

    Of processes that do so at once, one wins, and the file is there whole or not at all. Raises Misconfigured.
    """
    if path.exists():
        return False
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(scratch)
            return True
        return False
    except OSError as error:
        raise Misconfigured(
            f"{path} cannot be written: {error.strerror}. Set KNOWLOG_SECRETS_KEY, or choose another KNOWLOG_DATA_DIR."
        ) from error
    finally:
        scratch.unlink(missing_ok=True)


def require_key(settings: SecretsSettings, data_dir: Path, *, here: bool) -> None:
    """Raise Misconfigured where there is no key, and none can be made: the data is not on this machine alone."""
    if not here and settings.key is None and not (data_dir / KEY_FILE).exists():
        raise Misconfigured(_NO_KEY)


def key_id(key: bytes) -> str:
    """A name for a key-encryption key that tells nothing of it."""
    return hashlib.sha256(b"knowlog key-encryption key\0" + key).hexdigest()[:16]


def encrypt(key: AESGCM, bound: bytes, content: bytes) -> bytes:
    """Encrypt, bound to a context."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return _FORM + nonce + key.encrypt(nonce, content, _FORM + bound)


def decrypt(key: AESGCM, bound: bytes, sealed: bytes) -> bytes:
    """The inverse. Raises Unavailable for what was changed, or made for another context or with another key."""
    nonce, rest = sealed[1 : 1 + _NONCE_BYTES], sealed[1 + _NONCE_BYTES :]
    try:
        if sealed[:1] != _FORM:
            raise InvalidTag
        return key.decrypt(nonce, rest, _FORM + bound)
    except (InvalidTag, ValueError) as error:
        raise Unavailable(_OTHER_KEY) from error


def _bound(tenant_id: UUID, purpose: str) -> bytes:
    return tenant_id.bytes + purpose.encode()
