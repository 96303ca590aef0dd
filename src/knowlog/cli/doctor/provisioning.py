"""Provisioning: whether identity providers that keep members still have a key for it."""

from collections.abc import AsyncIterator
from typing import Any

from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, ok, warn
from knowlog.kernel.wording import counted
from knowlog.settings import Settings

_PART = "provisioning"


async def check_provisioning(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the members that are kept, and at the keys."""
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        if await connection.fetchval("select to_regprocedure('knowlog.provisioning_overview()')"):
            await connection.execute("set role knowlog_system")
            yield judge(await connection.fetchrow("select * from knowlog.provisioning_overview()"))
    finally:
        await connection.close()


def judge(row: Any) -> Finding:
    """Say what the state of the keys means."""
    if row["without_key"]:
        return warn(
            _PART,
            f"{counted(row['without_key'], 'tenant')} with members of an identity provider and no valid key for it:"
            " leavers stay",
            "Have an owner of each run `knowlog keys create NAME --role provisioner`, and give it to the provider.",
        )
    if row["ending"]:
        return warn(
            _PART,
            f"the last key for it ends within two weeks in {counted(row['ending'], 'tenant')}",
            "Have an owner of each run `knowlog keys create NAME --role provisioner`, and give it to the provider.",
        )
    return ok(
        _PART,
        f"{counted(row['members'], 'member')} kept by identity providers" if row["members"] else "not in use",
    )
