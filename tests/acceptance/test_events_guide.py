"""The example of the guide to events is run as it stands."""

import asyncio
import json
import os

import httpx

from guide import DOCS, executed
from knowlog.cli.processes import Stack


async def test_the_example_follows_a_document(running: tuple[Stack, str]) -> None:
    """The stream shows that it is indexed; the list has both events, in order, whatever other documents there are."""
    stack, key = running
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=stack.url, headers=headers) as http:
        await http.post("/v1/collections", json={"name": "earlier"})
        await http.post("/v1/collections/earlier/documents", json={"text": "Indexed long before."})
        while not (await http.get("/v1/events?type=document.indexed")).json()["items"]:
            await asyncio.sleep(0.05)
    process = await asyncio.create_subprocess_exec(
        "bash", "-euc", executed(DOCS / "guide/events.md", __file__)[0], stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "KNOWLOG_URL": stack.url, "KNOWLOG_KEY": key},
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0
    followed, _, listed = output.decode().partition("\n")
    assert followed == "event: document.indexed"
    types = [each["type"] for each in json.loads(listed)["items"]]
    assert types == ["document.received", "document.indexed"]
