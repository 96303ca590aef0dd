"""Uploads of 500 MB to the real server: they cost disk, next to no memory, and nothing at all where they are refused."""

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.processes import Stack, open_stack
from small_disk import small_disk

PIECE = b"The zebra sleeps at noon, and nobody knows why.\n" * 21_845
"""A MB of text."""
SIZE_MB = 500
BOUND_MB = 64
"""Far less than any one copy of it."""


@asynccontextmanager
async def serving(**settings: str) -> AsyncIterator[tuple[Stack, httpx.AsyncClient]]:
    """A server of real processes whose worker leaves documents alone, and a client of a tenant with a collection."""
    with tempfile.TemporaryDirectory(prefix="knowlog-up-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        given = {
            "DATA_DIR": folder, "API_PORT": "0", "EMBEDDING_MODEL": "fake", "WORKER_QUEUES": "cleanup",
            "API_PROCESSES": "1", "DOCUMENTS_MAX_UPLOAD_MB": "600", "API_BODIES_IN_FLIGHT_MB": "1200", **settings,
        }  # fmt: skip
        environ = {**os.environ, **{f"KNOWLOG_{name}": value for name, value in given.items()}}
        if "TMPDIR" in settings:
            environ["TMPDIR"] = environ.pop("KNOWLOG_TMPDIR")
        async with open_stack(environ) as stack:
            kept = ensure_tenant(stack.url, stack.operator_key, stack.settings.data_dir, "large")
            headers = {"Authorization": f"Bearer {kept['key']}"}
            async with httpx.AsyncClient(
                base_url=stack.url, headers=headers, timeout=280, trust_env=False
            ) as client:
                await client.post("/v1/collections", json={"name": "large"})
                yield stack, client


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[tuple[Stack, httpx.AsyncClient]]:
    """One for the tests that only measure."""
    async with serving() as opened:
        yield opened


@pytest.fixture(scope="module")
def large_file() -> Iterator[Path]:
    """A file of 500 MB."""
    with tempfile.NamedTemporaryFile(suffix=".txt", dir="/tmp") as file:
        for _ in range(SIZE_MB):
            file.write(PIECE)
        file.flush()
        yield Path(file.name)


async def pieces(size_mb: int) -> AsyncIterator[bytes]:
    for _ in range(size_mb):
        yield PIECE


def memory_mb(stack: Stack, field: str) -> float:
    """What the server's process holds at this moment (VmRSS), or held at most (VmHWM)."""
    status = Path(f"/proc/{stack.supervisor.process_ids['api']}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith(field)).split()[1]) / 1024


def originals(stack: Stack) -> list[int]:
    return [path.stat().st_size for path in (stack.settings.data_dir / "blobs").rglob("*") if path.is_file()]


async def send_raw(client: httpx.AsyncClient, size_mb: int, name: str = "raw") -> httpx.Response:
    return await client.post(
        f"/v1/collections/large/documents?external_id={name}",
        content=pieces(size_mb), headers={"Content-Type": "text/plain"},
    )  # fmt: skip


async def send_form(client: httpx.AsyncClient, path: Path) -> httpx.Response:
    with path.open("rb") as file:
        return await client.post(
            "/v1/collections/large/documents", files={"file": ("form.txt", file, "text/plain")}
        )


@pytest.mark.slow
@pytest.mark.parametrize("how", ["body", "form"])
async def test_an_upload_of_500_mb_costs_little_memory(server: Any, large_file: Path, how: str) -> None:
    """As the body itself, and as a form; and all of it is kept."""
    stack, client = server
    await send_raw(client, 2, "warm")
    pid = stack.supervisor.process_ids["api"]
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the highest mark begins anew
    before = memory_mb(stack, "VmRSS")
    answer = await (send_raw(client, SIZE_MB) if how == "body" else send_form(client, large_file))
    assert answer.status_code == 202, answer.text
    assert memory_mb(stack, "VmHWM") - before < BOUND_MB
    assert SIZE_MB * len(PIECE) in originals(stack)


async def test_what_is_over_the_limit_is_refused_and_kept_nowhere(server: Any) -> None:
    """Also when its length is not announced."""
    stack, client = server
    before = sorted(originals(stack))
    answer = await send_raw(client, 601, "over")
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    assert sorted(originals(stack)) == before


async def test_a_full_disk_is_told_where_uploads_arrive() -> None:
    """507 says where to make room; nothing is kept, and small uploads still come in."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, small_disk(Path(folder) / "tmp", 4096) as full:
        async with serving(TMPDIR=str(full)) as (stack, client):
            answer = await send_raw(client, 20)
            assert (answer.status_code, answer.json()["code"]) == (507, "storage-full")
            assert str(full) in answer.json()["detail"]
            assert originals(stack) == []
            assert (await send_raw(client, 1)).status_code == 202
