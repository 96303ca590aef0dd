"""The web application in a real browser: documents, their files on the way, and whom they are for."""

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, expect

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack


@pytest.fixture(scope="module")
def alice(running: tuple[Stack, str]) -> tuple[str, str]:
    """The address, and the key of Alice's fresh tenant."""
    return running[0].url, tenant_of(running[0], "alice with documents")[1]


async def test_files_come_in_fail_and_are_tried_again(
    alice: tuple[str, str], chromium: Browser, tmp_path: Path
) -> None:
    """Each with its stage; one that nothing can read with its reason, and a way on."""
    url, key = alice
    (tmp_path / "hours.md").write_text("# Hours\n\nThe shop closes at six in the evening.\n")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing that follows from it")
    async with tab(chromium, url, key, "/documents") as page:
        await page.locator("input[type=file][multiple]").set_input_files(
            [tmp_path / "hours.md", tmp_path / "broken.pdf"]
        )
        await expect(page.get_by_text("Done; 1 of 2 failed.")).to_be_visible(timeout=60_000)
        await expect(page.get_by_role("list", name="Why files failed")).to_contain_text("broken.pdf")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_text("Done; 1 of 2 failed.")).to_be_visible(timeout=30_000)
        listed = page.get_by_role("table", name="Documents")
        await expect(listed.get_by_role("row")).to_have_count(3)
        assert await accessible(page) == []
        await page.get_by_label("State").select_option("failed")
        await expect(listed.get_by_role("row")).to_have_count(2)


async def test_a_document_is_read_limited_and_deleted_with_a_receipt(
    alice: tuple[str, str], chromium: Browser
) -> None:
    """And then it is nowhere: neither on the page nor for the API."""
    url, key = alice
    document = stored(url, key, "The archive is on the third floor.")
    async with tab(chromium, url, key, f"/documents/{document}?start=4&end=11") as page:
        await expect(page.locator("mark")).to_have_text("archive")
        assert await accessible(page) == []
        await page.get_by_role("button", name="Who may see it").click()
        await page.get_by_label("Only these, and admins").check()
        assert await accessible(page) == []
        await page.get_by_role("button", name="Keep").click()
        await expect(page.get_by_text("It holds from now on.")).to_be_visible()
        await page.get_by_role("button", name="Delete", exact=True).click()
        await page.get_by_role("button", name="Delete for good").click()
        await expect(page.get_by_role("heading", name="Deleted")).to_be_visible()
        assert await accessible(page) == []
    assert httpx.get(f"{url}/v1/documents/{document}", headers=bearer(key)).status_code == 404


async def test_a_stranger_sees_nothing_of_it(
    alice: tuple[str, str], running: tuple[Stack, str], chromium: Browser
) -> None:
    """Charlie's list is empty, and Alice's address leads him nowhere."""
    url, key = alice
    document = stored(url, key, "What Alice alone knows.")
    charlie = tenant_of(running[0], "charlie on the web")[1]
    async with tab(chromium, url, charlie, "/documents") as page:
        await expect(page.get_by_text("There are no documents yet.")).to_be_visible()
        await page.goto(f"/documents/{document}")
        await expect(page.get_by_role("alert")).to_contain_text("no such document")
        assert "Alice alone" not in await page.content()


async def test_a_phone_shows_every_page_without_scrolling_sideways(
    alice: tuple[str, str], chromium: Browser
) -> None:
    """At 320 pixels, which is 1280 at 400 % (WCAG 1.4.10)."""
    url, key = alice
    async with tab(chromium, url, key, viewport={"width": 320, "height": 640}) as page:
        for path in ("/", "/documents", "/search", "/chunks", "/evaluation", "/operations", "/people"):
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_have_count(1)
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 320, path


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {key}"}


def stored(url: str, key: str, text: str) -> str:
    """A document with this text, once it is indexed; returns its id."""
    with httpx.Client(base_url=url, headers=bearer(key), timeout=60) as http:
        http.post("/v1/collections", json={"name": "archive"})
        made = http.post("/v1/collections/archive/documents", json={"text": text}).json()["items"][0]
        with http.stream("GET", f"/v1/documents/{made['document_id']}/events") as told:
            for _ in told.iter_lines():
                pass
    return str(made["document_id"])
