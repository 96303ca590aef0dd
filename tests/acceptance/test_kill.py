"""What was acknowledged is never lost, and happens once, whichever process is killed at whichever moment."""

import asyncio
import contextlib
import os
import random
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from knowlog.cli.processes import Stack, open_stack
from knowlog.database import Database, EmbeddedServer, Scope, open_database

DOCUMENTS = 500
KILLS = 20
SEED = int(os.environ.get("KNOWLOG_TEST_SEED", "7"))


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """A whole knowlog: PostgreSQL, API, worker, each a process."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-kill-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        environ = {"KNOWLOG_DATA_DIR": folder, "KNOWLOG_API_PORT": "0", "KNOWLOG_WORKER_LEASE_S": "3"}
        async with open_stack({**os.environ, **environ}) as running:
            yield running


async def patiently(http: httpx.AsyncClient, method: str, path: str, **options: object) -> httpx.Response:
    """Repeat a call until it is answered with success, as a careful client does."""
    for _ in range(1200):
        try:
            response = await http.request(method, path, **options)
            if response.status_code < 400:
                return response
            assert response.status_code in (429, 503), response.text
        except httpx.TransportError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"{method} {path} was never answered")


async def new_tenant(stack: Stack) -> tuple[Scope, httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stack.url, timeout=10) as http:
        operator = {"Authorization": f"Bearer {stack.operator_key}"}
        made = (await patiently(http, "POST", "/v1/tenants", json={"name": "alice"}, headers=operator)).json()
    client = httpx.AsyncClient(
        base_url=stack.url, timeout=10, headers={"Authorization": f"Bearer {made['secret']}"}
    )
    await patiently(client, "POST", "/v1/collections", json={"name": "notes"})
    return Scope(UUID(made["tenant"]["tenant_id"]), "key:alice"), client


async def upload_all(http: httpx.AsyncClient) -> None:
    """Upload every document on its own, until each is acknowledged."""
    for number in range(DOCUMENTS):
        body = f"Note {number}. The code word of this note is zebra{number}. " + "It says little else. " * 5
        await patiently(
            http, "POST", "/v1/collections/notes/documents", params={"external_id": f"note-{number}"},
            content=body.encode(), headers={"Content-Type": "text/plain"},
        )  # fmt: skip


async def upload_in_pieces(stack: Stack) -> None:
    """Send one file in pieces, as slowly as others are killed: what was acknowledged of it is never asked for again."""
    _, http = await new_tenant(stack)
    whole = b"".join(b"Line %06d of a long report.\n" % number for number in range(60_000))
    headers = {
        "Upload-Length": str(len(whole)),
        "Upload-Metadata": "filename cmVwb3J0LnR4dA==,fingerprint YQ==",
    }
    made = await patiently(http, "POST", "/v1/collections/notes/uploads", headers=headers)
    place, acknowledged = made.headers["location"], 0
    while (state := (await patiently(http, "GET", place)).json())["taken"] is None:
        assert state["received_bytes"] >= acknowledged
        at = state["received_bytes"]
        with contextlib.suppress(httpx.TransportError):
            kind = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            answer = await http.patch(place, content=whole[at : at + 65_536], headers=kind)
            assert answer.status_code in (204, 409, 429, 503), answer.text
            acknowledged = at + 65_536 if answer.status_code == 204 else acknowledged
        await asyncio.sleep(0.3)
    document = state["taken"]["document_id"]
    assert (await patiently(http, "GET", f"/v1/documents/{document}/content")).content == whole
    await http.aclose()


async def kill_at_random(stack: Stack, server: EmbeddedServer) -> Counter[str]:
    """Kill -9 the API, the worker or PostgreSQL at random moments."""
    dice = random.Random(SEED)
    killed: Counter[str] = Counter()
    while killed.total() < KILLS:
        await asyncio.sleep(dice.uniform(0.2, 1.6))
        name = dice.choice(["api", "worker", "worker", "postgresql"])
        pid = server.process_id if name == "postgresql" else stack.supervisor.process_ids.get(name)
        if pid is not None:
            try:
                os.kill(pid, signal.SIGKILL)
                killed[name] += 1
            except ProcessLookupError:
                continue
    return killed


async def until_indexed(http: httpx.AsyncClient) -> None:
    for _ in range(1200):
        listed = (await patiently(http, "GET", "/v1/collections/notes/states")).json()
        if listed["states"].get("indexed", 0) == DOCUMENTS:
            return
        assert not listed["states"].get("failed"), listed
        await asyncio.sleep(0.1)
    raise AssertionError(f"not all were indexed: {listed}")


async def counts(database: Database, scope: Scope) -> dict[str, int]:
    sql = """
        select (select count(*) from documents where version = 1 and latest = 1) as documents,
               (select count(*) from versions) as versions,
               (select count(*) from chunks) as chunks,
               (select count(distinct document_id) from chunks) as documents_with_chunks,
               (select count(*) from vectors) as vectors,
               (select count(*) from events where type = 'document.indexed') as indexed_events,
               (select count(*) from events where state in ('waiting', 'running', 'failed')) as unfinished,
               (select coalesce(sum(chunk_count), 0) from collection_statistics) +
               (select coalesce(sum(chunk_count), 0) from statistics_changes) as counted"""
    async with database.transaction(scope) as connection:
        return dict(await connection.fetchrow(sql))


@pytest.mark.slow
@pytest.mark.timeout(420)
async def test_every_acknowledged_document_is_indexed_exactly_once(stack: Stack) -> None:
    """500 documents, and one in pieces; 20 kills of API, worker and PostgreSQL at random moments: none lost, none twice,
    none stuck.
    """
    scope, http = await new_tenant(stack)
    server = EmbeddedServer(stack.settings.data_dir, stack.settings.database)
    killer = asyncio.create_task(kill_at_random(stack, server))
    await asyncio.gather(upload_all(http), upload_in_pieces(stack))
    killed = await killer
    await until_indexed(http)
    database = await open_database(stack.settings.database, stack.settings.data_dir)
    found = await counts(database, scope)
    await database.close()
    once = dict.fromkeys(found, DOCUMENTS) | {"unfinished": 0}
    assert found == once, f"after {dict(killed)}"
    number = random.Random(SEED).randrange(DOCUMENTS)
    answer = (
        await patiently(http, "POST", "/v1/search", json={"question": f"zebra{number}", "limit": 5})
    ).json()
    assert answer["passages"][0]["external_id"] == f"note-{number}"
    await http.aclose()


@pytest.mark.timeout(180)
async def test_a_worker_survives_the_death_of_postgresql(stack: Stack) -> None:
    """Only PostgreSQL is killed, again and again; the worker that was in mid-work is left alone and loses nothing."""
    _, http = await new_tenant(stack)
    server = EmbeddedServer(stack.settings.data_dir, stack.settings.database)
    worker = stack.supervisor.process_ids["worker"]
    for number in range(60):
        await patiently(
            http, "POST", "/v1/collections/notes/documents", params={"external_id": f"note-{number}"},
            content=f"Note {number} says {number * 7}.".encode(), headers={"Content-Type": "text/plain"},
        )  # fmt: skip
        if number % 15 == 7 and (pid := server.process_id):
            os.kill(pid, signal.SIGKILL)
    for _ in range(900):
        states = (await patiently(http, "GET", "/v1/collections/notes/states")).json()["states"]
        if states == {"indexed": 60}:
            break
        await asyncio.sleep(0.1)
    assert states == {"indexed": 60}
    assert stack.supervisor.process_ids["worker"] == worker, "the worker was not to be restarted"
    await http.aclose()
