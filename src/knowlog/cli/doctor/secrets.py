"""The key-encryption key: there, kept from others, and the one under which stored secrets open."""

import stat
from collections.abc import AsyncIterator, Sequence
from typing import Any

from knowlog.bootstrap import is_here, require_safe
from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.kernel.errors import Misconfigured
from knowlog.kernel.wording import counted
from knowlog.settings import Settings
from knowlog.tenants import KEY_FILE, Vault, count_shut, open_vault

_PART = "secrets"


async def check_secrets(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the key and whether it opens what is stored, without making or changing anything."""
    path = settings.data_dir / KEY_FILE
    try:
        require_safe(settings)
    except Misconfigured as error:
        yield fail(_PART, error.detail, "Set KNOWLOG_SECRETS_KEY_FILE for every process.")
        return
    if settings.secrets.key is None and path.exists() and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield warn(_PART, f"others on this machine may read {path}", f"chmod 600 {path}")
    if settings.secrets.key is None and path.exists() and not is_here(settings):
        yield warn(
            _PART, f"the key is {path}, on this machine alone", "Give every process KNOWLOG_SECRETS_KEY_FILE."
        )
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        if await connection.fetchval("select to_regprocedure('knowlog.secret_health()')"):
            vault = open_vault(settings.secrets, settings.data_dir, here=False)
            await connection.execute("set role knowlog_system")
            yield judge(await connection.fetch("select * from knowlog.secret_health()"), vault)
    finally:
        await connection.close()


def judge(rows: Sequence[Any], vault: Vault) -> Finding:
    """Say what the data keys' wrappings mean. `rows`: for each key-encryption key, how many it wraps, and one of them."""
    kept = [row for row in rows if row["data_keys"]]
    if count := count_shut(vault, kept):
        return fail(
            _PART,
            f"{counted(count, 'data key')} shut to the keys that are set",
            "Add the key-encryption key that was used before to KNOWLOG_SECRETS_KEY, behind the current one. If it is"
            " lost for good: docs/guide/lost-key.md.",
        )
    if rows and rows[0]["unsealed"]:
        return warn(
            _PART,
            f"{counted(rows[0]['unsealed'], 'webhook')} with a secret in the clear, from an earlier version",
            "Start a `knowlog worker`, which seals them.",
        )
    old = sum(row["data_keys"] for row in kept if row["wrapped_by"] != vault.current)
    if old:
        return warn(
            _PART, f"{counted(old, 'data key')} wrapped by an older key", "Run `knowlog secrets rotate`."
        )
    count = sum(row["data_keys"] for row in kept)
    return ok(
        _PART,
        f"{counted(count, 'data key')}, all wrapped by the current key" if count else "nothing is stored yet",
    )
