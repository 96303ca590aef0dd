"""Movers that die in the middle, and those that come after them."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from uuid import UUID

from silo_scene import SILO, Installation, filled, found, rows_in, upload

from at_work import all_at_work
from knowlog.bootstrap import App
from knowlog.database import Database

STEPS = ("_copy_rest", "_turn", "_settle")


async def test_a_mover_that_is_killed_at_any_step_is_followed_by_one_that_goes_on(
    installation: Installation, silo: Database, app: App, environ: dict[str, str]
) -> None:
    """Killed with SIGKILL at three steps, one after the other: nothing is lost, and the tenant is never at two places."""
    tenant_id, owner = await installation.tenant("alice")
    async with all_at_work(app):
        document_id = await filled(owner, "The warranty lasts 24 months.")
    await installation.asked(tenant_id, SILO)
    whole = await rows_in(installation.home, tenant_id)
    for step in STEPS:
        code = await killed_at(step, tenant_id, environ)
        assert code == -signal.SIGKILL, step
        assert await found(owner, "warranty") == {document_id}, step
    async with all_at_work(app):
        assert (await installation.over(tenant_id))["step"] == "done"
    assert await rows_in(installation.home, tenant_id) == {}
    here = await rows_in(silo, tenant_id)
    assert {name: here.get(name) for name in ("documents", "chunks", "vectors", "api_keys")} == {
        name: whole.get(name) for name in ("documents", "chunks", "vectors", "api_keys")
    }
    assert (await upload(owner, "And on it goes.")).status_code == 202


async def killed_at(step: str, tenant_id: UUID, environ: dict[str, str]) -> int | None:
    """Let another process go on with the move until it dies at a step."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("mover_process.py")), str(tenant_id), step,
        env={**os.environ, **environ},
    )  # fmt: skip
    return await process.wait()
