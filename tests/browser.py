"""A real Chromium that drives the web application of a running knowlog."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright

from knowlog.api.web import BUILT
from knowlog.cli.processes import Stack
from servers import missing

_PROGRAMS = ("chromium-headless-shell", "chromium")
_AXE = Path(__file__).parents[1] / "web" / "node_modules" / "axe-core" / "axe.min.js"
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None or not _AXE.exists():
        missing("there is no Chromium, or no axe-core: `make services-install` brings both")
    if not (BUILT / "index.html").is_file():
        missing("the web application is not built: `make web` builds it")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program)
        yield browser
        await browser.close()


def tenant_of(stack: Stack, name: str) -> tuple[str, str]:
    """A fresh tenant: its id, and its owner's key."""
    headers = {"Authorization": f"Bearer {stack.operator_key}"}
    made = httpx.post(f"{stack.url}/v1/tenants", json={"name": name}, headers=headers).json()
    return made["tenant"]["tenant_id"], made["secret"]


@asynccontextmanager
async def tab(
    browser: Browser,
    url: str,
    key: str | None = None,
    path: str = "/",
    also: tuple[str, ...] = (),
    **options: Any,
) -> AsyncIterator[Page]:
    """A tab at a path of the application, signed in by a key if there is one. What the page's policy forbids, what it
    asks of other hosts but `also`, and what its script did not catch fails the test at the end.
    """
    context = await browser.new_context(base_url=url, **options)
    context.set_default_timeout(10_000)
    page = await context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda told: wrong.append(told.text) if "Content Security Policy" in told.text else None
    )
    page.on(
        "request",
        lambda asked: (
            None if asked.url.startswith((url, "blob:", "data:", *also)) else wrong.append(asked.url)
        ),
    )
    if key is not None:
        await context.add_init_script(
            f"if (!sessionStorage.getItem('knowlog-key')) sessionStorage.setItem('knowlog-key', {json.dumps(key)})"
        )
    await page.goto(path)
    yield page
    await context.close()
    assert wrong == []


async def accessible(page: Page) -> list[str]:
    """What axe finds wrong with the page as it stands, in light and in dark."""
    found: list[str] = []
    for colours in ("light", "dark"):
        await page.emulate_media(color_scheme=colours, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.wait_for_timeout(150)  # colours change smoothly
        await page.evaluate(_AXE.read_text())
        told = await page.evaluate("rules => axe.run(document, rules)", _RULES)
        found += [
            f"{colours}: {each['id']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:300]}"
            for each in told["violations"]
        ]
    return found
