"""Disks that fill up under a running knowlog: a sentence says so, nothing is half there, and all goes on afterwards."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.processes import open_stack
from small_disk import filled, small_disk


@asynccontextmanager
async def running_on(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a knowlog of real processes, with a collection, its data in a folder."""
    given = {
        "DATA_DIR": str(folder), "API_PORT": "0", "EMBEDDING_MODEL": "fake", "DOCUMENTS_MIN_FREE_MB": "0",
        "WORKER_BACKOFF_S": "0.2", "WORKER_MAX_ATTEMPTS": "50",
    }  # fmt: skip
    environ = {**os.environ, **{f"KNOWLOG_{name}": value for name, value in given.items()}}
    async with open_stack(environ) as stack:
        kept = ensure_tenant(stack.url, stack.operator_key, folder, "full")
        headers = {"Authorization": f"Bearer {kept['key']}"}
        async with httpx.AsyncClient(
            base_url=stack.url, headers=headers, timeout=60, trust_env=False
        ) as client:
            await client.post("/v1/collections", json={"name": "notes"})
            yield client


async def send(client: httpx.AsyncClient, name: str, text: str) -> httpx.Response:
    return await client.post("/v1/collections/notes/documents", json={"external_id": name, "text": text})


async def names(client: httpx.AsyncClient, state: str) -> set[str]:
    listed = await client.get("/v1/collections/notes/documents", params={"state": state, "limit": 200})
    return {each["external_id"] for each in listed.json()["items"]}


async def all_indexed(client: httpx.AsyncClient, wanted: set[str]) -> None:
    for _ in range(600):
        if await names(client, "indexed") == wanted:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(wanted - await names(client, "indexed"))


async def test_a_full_disk_of_originals_refuses_and_recovers() -> None:
    """What is refused is nowhere; the same upload is taken when there is room."""
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "blobs", 8192) as disk:
            async with running_on(Path(folder)) as client:
                assert (await send(client, "first", "The zebra sleeps.")).status_code == 202
                with filled(disk, left_kb=64):
                    refused = await send(client, "large", "The okapi sleeps. " * 20_000)
                    assert refused.status_code in (503, 507)
                    assert "disk" in refused.json()["detail"]
                    kept = [path.name for path in disk.rglob("*") if path.is_file()]
                    assert len(kept) == 2, "the filler and the first original"
                assert (await send(client, "large", "The okapi sleeps. " * 20_000)).status_code == 202
                await all_indexed(client, {"first", "large"})


async def test_a_full_disk_of_postgresql_loses_nothing_that_was_acknowledged() -> None:
    """Every refusal is a sentence; what got 202 is indexed when there is room again, and what did not is not there."""
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with small_disk(Path(folder) / "postgres", 400_000) as disk:
            async with running_on(Path(folder)) as client:
                taken: set[str] = set()
                refusals: list[httpx.Response] = []
                with filled(disk, left_kb=512):
                    for number in range(60):
                        answer = await send(client, f"note-{number}", f"Zebra {number} sleeps. " * 4_000)
                        if answer.status_code == 202:
                            taken.add(f"note-{number}")
                        else:
                            refusals.append(answer)
                assert refusals, "the disk was full"
                assert {answer.status_code for answer in refusals} <= {503, 507}
                assert all(answer.json()["detail"].endswith(".") for answer in refusals)
                # PostgreSQL says that the disk is full, or ends over it when that befalls its log first.
                told = [answer.json()["detail"] for answer in refusals]
                assert any("disk is full" in each or "database" in each.lower() for each in told), told
                await answers_again(client)
                taken.add("after")
                await all_indexed(client, taken)


async def answers_again(client: httpx.AsyncClient) -> None:
    for _ in range(300):
        if (await send(client, "after", "There is room again.")).status_code in (200, 202):
            return
        await asyncio.sleep(0.2)
    raise AssertionError("it never takes documents again")
