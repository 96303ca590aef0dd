"""`knowlog jobs`, `knowlog schedules` and `knowlog tenants` as a person and as a program use them."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from api_scene import Client, settled, working

from knowlog.bootstrap import App
from knowlog.database import Scope

BROKEN = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
Run = Callable[..., Coroutine[Any, Any, tuple[int | None, str, str]]]


@pytest.fixture
def run(address: str, alice: Client, tmp_path: Path) -> Run:
    """Run `knowlog ...` with Alice's key: exit code, stdout, stderr."""

    async def call(*arguments: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "knowlog", *arguments,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={
                "PATH": "/usr/bin:/bin", "KNOWLOG_DATA_DIR": str(tmp_path), "KNOWLOG_URL": address,
                "KNOWLOG_KEY": alice.headers["authorization"].removeprefix("Bearer "),
                "KNOWLOG_API_OPERATOR_KEY": "the-operator-of-these-tests",
            },
        )  # fmt: skip
        output, errors = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, output.decode(), errors.decode()

    return call


async def test_dead_jobs_are_shown_with_their_cause_and_retried(app: App, alice: Client, run: Run) -> None:
    """All of them, with one command; a job that is watched to a bad end is exit code 1."""
    item = (await alice.post("/v1/collections/handbook/documents", files=BROKEN)).json()["items"][0]
    async with working(app):
        failed = await settled(alice, item["document_id"])
    code, shown, _ = await run("jobs", "dead")
    assert code == 0
    assert item["job_id"] in shown
    assert str(failed["reason"]) in shown
    code, _, said = await run("jobs", "watch", item["job_id"])
    assert (code, str(failed["reason"]) in said) == (1, True)
    code, retried, _ = await run("jobs", "retry", "--all", "--json")
    assert (code, json.loads(retried)) == (0, {"retried": 1})
    assert (await run("jobs", "retry", "--all"))[2] == "No job is dead.\n"


async def test_a_job_is_cancelled_and_taken_back(alice: Client, run: Run) -> None:
    """And a second cancel is told in a sentence."""
    made = await alice.post("/v1/collections/handbook/documents", json={"text": "zebra"})
    job = made.json()["items"][0]["job_id"]
    code, _, said = await run("jobs", "cancel", job)
    assert (code, said) == (0, f"Job {job} is cancelled.\n")
    code, _, said = await run("jobs", "cancel", job)
    assert (code, "ended already; it is cancelled" in said) == (1, True)
    code, listed, _ = await run("jobs", "list", "--state", "cancelled", "--json")
    assert [each["job_id"] for each in json.loads(listed)["items"]] == [job]
    assert (await run("jobs", "retry", job))[2] == f"Job {job} is tried again.\n"
    assert "waiting" in (await run("jobs", "show", job))[1]


async def test_schedules_are_switched_and_deleted(run: Run) -> None:
    """One after the other, and a wrong expression is told."""
    made = ("schedules", "create", "nightly", "refresh", "-c", "handbook", "--cron")
    code, _, said = await run(*made, "0 25 * * *")
    assert code == 1
    assert "is no cron expression" in said
    assert "0 3 * * * is every day at 3:00." in said
    assert (await run(*made, "0 3 * * *"))[0] == 0
    assert (await run("schedules", "disable", "nightly"))[2] == "nightly is switched off.\n"
    assert "switched off" in (await run("schedules", "list"))[1]
    assert "is due next at" in (await run("schedules", "enable", "nightly"))[2]
    assert "0 3 * * *" in (await run("schedules", "show", "nightly"))[1]
    assert (await run("schedules", "delete", "nightly"))[0] == 0
    assert (await run("schedules", "delete", "nightly"))[0] == 1


async def test_the_operator_sees_queues_and_sets_weights(alice: Client, tenant: Scope, run: Run) -> None:
    """As a table."""
    await alice.post("/v1/collections/handbook/documents", json={"text": "zebra"})
    code, _, said = await run("tenants", "weight", str(tenant.tenant_id), "5")
    assert (code, said) == (0, "alice has the weight 5.\n")
    code, listed, _ = await run("tenants", "queues", "--json")
    own = [each for each in json.loads(listed)["items"] if each["tenant_id"] == str(tenant.tenant_id)]
    assert [(each["queue"], each["weight"], each["waiting"]) for each in own] == [("documents", 5, 1)]
