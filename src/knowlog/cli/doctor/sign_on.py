"""The providers of single sign-on: each can be asked, and its secret opens."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from knowlog.cli.doctor.database import open_database
from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.edge import ProviderLine
from knowlog.kernel.errors import KnowlogError
from knowlog.settings import Settings
from knowlog.tenants import Providers, Vault, open_vault, purpose_of_sign_on

_PART = "single sign-on"
_MOST = 50


async def check_sign_on(settings: Settings) -> AsyncIterator[Finding]:
    """Look at the sign-ons that were used last: 50 of all tenants."""
    connection = await open_database(settings)
    if connection is None:
        return
    try:
        if await connection.fetchval("select to_regprocedure('knowlog.sign_on_health(integer)')") is None:
            return
        await connection.execute("set role knowlog_system")
        rows = await connection.fetch("select * from knowlog.sign_on_health($1)", _MOST)
    finally:
        await connection.close()
    if not rows:
        yield ok(_PART, "there is none")
        return
    vault = open_vault(settings.secrets, settings.data_dir, here=False)
    providers = Providers(ProviderLine(settings.api))
    found = await asyncio.gather(*(_look(row, vault, providers) for row in rows))
    for each in judge(rows, found):
        yield each


def judge(rows: Sequence[Any], problems: Sequence[str | None]) -> list[Finding]:
    """Say what is wrong with each; those that are enforced are the only way in."""
    findings = []
    for row, problem in zip(rows, problems, strict=True):
        part = f"{_PART}: {row['name']} of {row['tenant']}"
        if problem and row["enforced"]:
            mend = "Mend it, or let an owner's key run `knowlog sign-on change NAME --not-enforced`."
            findings.append(fail(part, f"enforced, and nobody can sign in: {problem}", mend))
        elif problem:
            findings.append(
                warn(part, problem, "`knowlog sign-on check NAME` with a key of the tenant tells more.")
            )
    works = len(rows) - len(findings)
    return [ok(_PART, f"{works} of {len(rows)} can be used"), *findings] if works else findings


async def _look(row: Any, vault: Vault, providers: Providers) -> str | None:
    """What is wrong with one, None where people can sign in by it."""
    if row["sealed"] is not None:
        tenant_id, wrapped, name = row["tenant_id"], row["wrapped"], row["name"]
        purpose = purpose_of_sign_on(name)
        if wrapped is None or not vault.opens_with(
            tenant_id, wrapped, row["wrapped_by"], purpose, row["sealed"]
        ):
            return "its secret opens with none of the keys in KNOWLOG_SECRETS_KEY."
    try:
        await providers.keys((row["tenant_id"], row["name"]), row["issuer"])
    except KnowlogError as error:
        return error.detail
    return None
