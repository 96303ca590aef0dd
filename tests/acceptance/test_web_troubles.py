"""The web application in a real browser: what could not be taken in, and is when what was wrong is mended."""

import asyncio
import os
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import orjson
from playwright.async_api import Browser, expect
from web_people import bearer

from browser import accessible, tab, tenant_of
from knowlog.bootstrap import open_app
from knowlog.bus import Delivery, Message
from knowlog.cli.processes import Stack
from knowlog.database import Scope
from knowlog.settings import load_settings
from knowlog.sources import Inlet, NewSource, create_source, hold_source


async def test_a_dead_letter_is_seen_and_taken_in(running: tuple[Stack, str], chromium: Browser) -> None:
    """One is too large for the worker that read it, and fits when the limit is raised; the other fits never."""
    stack, _ = running
    tenant_id, key = tenant_of(stack, "alice with letters")
    httpx.post(f"{stack.url}/v1/collections", json={"name": "shop"}, headers=bearer(key)).raise_for_status()
    await read_two_letters(stack, UUID(tenant_id))
    async with tab(chromium, stack.url, key, "/operations/dead-letters") as page:
        letters = page.get_by_role("region", name="Dead letters")
        large = letters.get_by_role("row").filter(has_text="KNOWLOG_SOURCES_MAX_MESSAGE_MB")
        await large.get_by_role("button", name="Take in").click()
        await expect(large).to_contain_text("Taken in")
        wrong = letters.get_by_role("row").filter(has_text="cannot be read as JSON")
        await wrong.get_by_role("button", name="Take in").click()
        await expect(page.get_by_role("status")).to_contain_text("cannot be read as JSON")
        assert await accessible(page) == []
        await wrong.get_by_role("button", name="Delete").click()
        await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(wrong).to_have_count(0)
        await page.get_by_role("link", name="Documents", exact=True).click()
        await expect(page.get_by_role("table", name="Documents")).to_contain_text("The oak case")


async def read_two_letters(stack: Stack, tenant_id: UUID) -> None:
    """Read a source as a worker does that takes messages of 1 MB at most."""
    environ = {"KNOWLOG_DATA_DIR": str(stack.settings.data_dir), "KNOWLOG_SOURCES_MAX_MESSAGE_MB": "1"}
    scope = Scope(tenant_id, "tests")
    data = {"external_id": "oak", "title": "The oak case", "text": "The case is made of oak."}
    event = {"specversion": "1.0", "id": "1", "source": "urn:shop", "type": "document.submitted"}
    large = orjson.dumps({**event, "tenantid": str(tenant_id), "data": data}) + b" " * 2**20
    async with open_app(load_settings({**os.environ, **environ})) as app:
        wanted = NewSource("shop", "redis", f"shop.{uuid4().hex}", "shop")
        made = await create_source(app.database, scope, wanted, app.settings.bus)
        while not await hold_source(app.database, scope, made.source_id, "tests", 60):
            await asyncio.sleep(0.05)
        inlet = Inlet(
            tenant_id, made.source_id, "shop", "redis", made.topic, made.collection_id, "cloudevents", {}
        )
        messages = (Message("", "1-0", large), Message("", "2-0", b"this is no event"))
        await app.inbox.take(inlet, [Delivery(each) for each in messages], "tests")


async def test_a_file_that_is_refused_says_why_and_is_taken_when_there_is_room(
    running: tuple[Stack, str], chromium: Browser, tmp_path: Path
) -> None:
    """A tenant that may have one document offers two; then it may have more."""
    stack, _ = running
    tenant_id, key = tenant_of(stack, "alice who has little room")
    limits = f"{stack.url}/v1/tenants/{tenant_id}/limits"
    httpx.put(limits, json={"documents": 1}, headers=bearer(stack.operator_key)).raise_for_status()
    files = [tmp_path / "one.md", tmp_path / "two.md"]
    for each in files:
        each.write_text(f"The file {each.stem} is about tapirs.\n")
    async with tab(chromium, stack.url, key, "/documents") as page:
        await page.locator("input[type=file][multiple]").set_input_files(files)
        await expect(page.get_by_text("Done; 1 of 2 failed.")).to_be_visible(timeout=30_000)
        await expect(page.get_by_role("list", name="Why files failed")).to_contain_text("limit")
        assert await accessible(page) == []
        httpx.put(limits, json={"documents": 9}, headers=bearer(stack.operator_key)).raise_for_status()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("All 2 done.")).to_be_visible(timeout=30_000)
