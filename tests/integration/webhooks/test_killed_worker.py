"""A worker that is killed in mid-delivery: the event is delivered again, and can be told to be the same."""

import asyncio
import os
import signal
import sys

import pytest
from receiver import OK, Receiver

from knowlog.bootstrap import App
from knowlog.bus import Wish, append_events, create_webhook, list_deliveries
from knowlog.kernel import new_id


async def worker_process(app: App, receiver: Receiver) -> asyncio.subprocess.Process:
    environ = {
        **os.environ,
        "KNOWLOG_DATA_DIR": str(app.settings.data_dir),
        "KNOWLOG_EMBEDDING_MODEL": "fake",
        "KNOWLOG_WEBHOOKS_PRIVATE_HOSTS": f"127.0.0.1:{receiver.port}",
        "KNOWLOG_WORKER_QUEUES": "deliveries",
        "KNOWLOG_WORKER_LEASE_S": "2",
    }
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "knowlog", "worker", env=environ,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.slow
async def test_kill_9_in_mid_delivery(app, receiver, tenant) -> None:
    """At least once, with the same webhook-id; the second worker writes it down as delivered."""
    receiver.hang = True
    async with app.database.transaction(tenant) as connection:
        webhook, secret = await create_webhook(
            connection, tenant, Wish(receiver.url), None, app.settings.webhooks, app.vault
        )
    async with app.database.transaction(tenant) as connection:
        (event_id,) = await append_events(connection, "document.deleted", [(new_id(), {"blobs": []})])
    first = await worker_process(app, receiver)
    await receiver.until(1, 60)
    first.send_signal(signal.SIGKILL)
    await first.wait()
    receiver.hang, receiver.answer = False, lambda _: OK
    second = await worker_process(app, receiver)
    try:
        taken = await receiver.until(2, 60)
        assert {each.message_id for each in taken} == {str(event_id)}
        assert taken[1].verify(secret)["data"] == {}
        async with asyncio.timeout(60):
            while True:
                async with app.database.transaction(tenant) as connection:
                    (made,) = await list_deliveries(connection, tenant, webhook.endpoint_id)
                if made.state == "done":
                    break
                await asyncio.sleep(0.05)
        assert made.attempts == 2
    finally:
        second.terminate()
        await second.wait()
