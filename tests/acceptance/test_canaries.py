"""Nothing secret is left behind by real processes: logs, spans, errors, metrics, events, and a dump of the database."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from knowlog.cli.local_tenant import ensure_tenant
from knowlog.cli.processes import Stack, open_stack
from knowlog.database import EmbeddedServer
from knowlog.database.server import _wheel_programs as wheel_programs

SECRET = "sk-canary-0c2f9f4d-provider"


class Collector:
    """Takes spans as OpenTelemetry's collector does, and keeps their bytes."""

    def __init__(self) -> None:
        self.taken = bytearray()
        taken = self.taken

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                taken.extend(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.server.shutdown()


@pytest.fixture(scope="module")
async def stack(collector: Collector) -> AsyncIterator[Stack]:
    """A whole knowlog that logs everything and sends its spans."""
    with tempfile.TemporaryDirectory(
        prefix="knowlog-canary-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        environ = {
            "KNOWLOG_DATA_DIR": folder, "KNOWLOG_API_PORT": "0", "KNOWLOG_EMBEDDING_MODEL": "fake",
            "KNOWLOG_TELEMETRY_LOG_LEVEL": "debug", "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": "127.0.0.1:9",
            "KNOWLOG_TELEMETRY_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server.server_port}",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        }  # fmt: skip
        async with open_stack({**os.environ, **environ}) as running:
            yield running


async def use(stack: Stack) -> tuple[set[str], list[str]]:
    """Entrust, use and misuse secrets. Returns the secrets, and the bodies of later answers."""
    kept = ensure_tenant(stack.url, stack.operator_key, stack.settings.data_dir, "alice")
    secrets, seen = {SECRET, kept["key"], stack.operator_key}, []
    async with httpx.AsyncClient(
        base_url=stack.url, headers={"Authorization": f"Bearer {kept['key']}"}
    ) as alice:
        (await alice.put("/v1/secrets/openai.key", json={"value": SECRET})).raise_for_status()
        made = (await alice.post("/v1/webhooks", json={"url": "http://127.0.0.1:9/", "types": ["*"]})).json()
        secrets.add(made["secret"])
        place = f"/v1/webhooks/{made['webhook']['endpoint_id']}"
        secrets.add((await alice.post(f"{place}:rotate")).json()["secret"])
        await alice.post(f"{place}:test")
        await alice.post("/v1/collections", json={"name": "handbook"})
        await alice.post("/v1/collections/handbook/documents", json={"text": "A text.", "external_id": "a"})
        for body in ({"value": [SECRET]}, {"valeu": SECRET}, {"value": SECRET * 999}):
            seen.append((await alice.put("/v1/secrets/openai.key", json=body)).text)
        wrong = {"Authorization": f"Bearer {kept['key'][:-2]}xx"}
        seen.append((await alice.get("/v1/secrets", headers=wrong)).text)
        await asyncio.sleep(4)  # deliveries are tried, spans are sent
        for path in (
            "/v1/secrets",
            "/v1/webhooks",
            f"{place}/deliveries",
            "/v1/events",
            "/v1/jobs",
            "/v1/keys",
        ):
            seen.append((await alice.get(path)).raise_for_status().text)
        operator = {"Authorization": f"Bearer {stack.operator_key}"}
        seen.append((await alice.get("/metrics", headers=operator)).text)
    return secrets, seen


def dump(stack: Stack) -> str:
    """The database as a backup holds it."""
    server = EmbeddedServer(stack.settings.data_dir, stack.settings.database)
    return subprocess.run(
        [wheel_programs() / "pg_dump", "--dbname", server.url("postgres")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


async def test_no_canary_is_found_anywhere(stack: Stack, collector: Collector) -> None:
    """Keys, the operator's key, a provider's key, a webhook's secrets old and new, and the key-encryption key."""
    secrets, seen = await use(stack)
    secrets.add((stack.settings.data_dir / "secrets.key").read_text().strip())
    logs = "".join(path.read_text() for path in (stack.settings.data_dir / "logs").glob("*.log"))
    dumped = await asyncio.to_thread(dump, stack)
    spans = bytes(collector.taken).decode("latin-1")
    assert "knowlog.tenant" in spans
    assert '"route"' in logs
    assert "openai.key" in dumped
    places = {"logs": logs, "spans": spans, "answers": "".join(seen), "dump": dumped}
    assert {
        (place, secret[:12]) for place, text in places.items() for secret in secrets if secret in text
    } == set()
