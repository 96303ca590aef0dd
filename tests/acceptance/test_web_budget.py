"""The web application stays small: what a first visit of each page may fetch."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Request, expect

from browser import tab, tenant_of
from knowlog.cli.processes import Stack

BUDGET = Path(__file__).parents[2] / "web" / "budget.json"
PAGES = ("/", "/documents", "/search", "/chunks", "/evaluation", "/operations", "/people")


@pytest.fixture(scope="module")
def alice(running: tuple[Stack, str]) -> tuple[str, str]:
    """The address, and the key of Alice's fresh tenant."""
    return running[0].url, tenant_of(running[0], "alice with a slow line")[1]


async def test_every_page_keeps_its_budget(alice: tuple[str, str], chromium: Browser) -> None:
    """Bytes as they come over the line, and requests, of a first visit; in the form that Lighthouse has for it."""
    (budget,) = json.loads(BUDGET.read_text())
    url, key = alice
    for path in PAGES:
        sizes, counts = await weighed(chromium, url, key, path)
        told = f"{path}: {dict(sizes)} bytes, {dict(counts)} requests"
        for each in budget["resourceSizes"]:
            assert sizes[each["resourceType"]] <= each["budget"] * 1024, (told, each)
        for each in budget["resourceCounts"]:
            assert counts[each["resourceType"]] <= each["budget"], (told, each)
        assert counts["script"] > 1, told


async def weighed(browser: Browser, url: str, key: str, path: str) -> tuple[Counter[str], Counter[str]]:
    """What a first visit of a page fetches, by kinds of Lighthouse: bytes and requests. Calls of the API do not count."""
    fetched: list[Request] = []
    async with tab(browser, url, key, "/health/live") as page:
        page.on("requestfinished", lambda asked: fetched.append(asked))
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        sizes: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for each in fetched:
            if "/v1/" not in each.url:
                told: Any = await each.sizes()
                kinds = (each.resource_type, "total", *(() if each.url.startswith(url) else ("third-party",)))
                sizes.update(dict.fromkeys(kinds, told["responseBodySize"] + told["responseHeadersSize"]))
                counts.update(kinds)
    return sizes, counts
