"""Pictures of the web application: the README's with `make screenshots`, all of them with ARGS=FOLDER, to be looked at.

A knowlog of its own is started with the example documents; nothing is drawn or retouched.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.async_api import Browser, Page, async_playwright

from knowlog.cli.processes import Stack, open_stack

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT / "examples" / "corpus"
QUESTION = "For how long is the calibration certificate of a sensor valid in pharmaceutical storage?"
ABSENT = "Who won the football world cup of 1954?"
OF_README = {
    "light-wide-answer.png",
    "light-wide-citation.png",
    "dark-wide-documents.png",
    "dark-phone-answer.png",
}
WIDE, PHONE = {"width": 1180, "height": 760}, {"width": 390, "height": 760}


async def main(folder: Path) -> None:
    """Take them all."""
    program = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    with fresh_folder() as data:
        environ = {**os.environ, "KNOWLOG_DATA_DIR": data, "KNOWLOG_API_PORT": "0"}
        async with open_stack(environ) as stack, async_playwright() as playwright:
            key = await asyncio.to_thread(filled, stack)
            browser = await playwright.chromium.launch(executable_path=program)
            for colours in ("light", "dark"):
                for shape, size in (("wide", WIDE), ("phone", PHONE)):
                    await shoot(browser, stack.url, key, folder / f"{colours}-{shape}", colours, size)
            await browser.close()


@contextmanager
def fresh_folder() -> Iterator[str]:
    """A folder that any user may pass: PostgreSQL does not run as root."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as data:
        Path(data).chmod(0o755)
        yield data


def filled(stack: Stack) -> str:
    """A tenant with the example documents, once they are indexed, and one that failed; returns its key."""
    operator = {"Authorization": f"Bearer {stack.operator_key}"}
    made = httpx.post(f"{stack.url}/v1/tenants", json={"name": "Fernhill"}, headers=operator).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    with httpx.Client(base_url=stack.url, headers=headers, timeout=60) as http:
        files = [each for each in sorted(CORPUS.rglob("*")) if each.is_file()]
        for each in files:
            name = str(each.relative_to(CORPUS))
            place = f"/v1/collections/{each.relative_to(CORPUS).parts[0]}"
            http.post("/v1/collections", json={"name": place.rpartition("/")[2]})
            http.post(
                f"{place}/documents",
                params={"external_id": name, "filename": each.name},
                content=each.read_bytes(),
            ).raise_for_status()
        http.post(
            "/v1/collections/product/documents", params={"external_id": "product/draft.pdf", "filename": "draft.pdf"},
            content=b"%PDF-1.7 and nothing that follows from it",
        )  # fmt: skip
        while any(
            http.get("/v1/jobs", params={"state": state}).json()["items"] for state in ("waiting", "running")
        ):
            time.sleep(0.5)
    return str(made["secret"])


async def shoot(browser: Browser, url: str, key: str, name: Path, colours: str, size: dict[str, int]) -> None:
    """Take every page in these colours and this size."""
    context = await browser.new_context(base_url=url, color_scheme=colours, viewport=size)  # type: ignore[arg-type]
    page = await context.new_page()

    async def take(what: str) -> None:
        await page.wait_for_timeout(400)
        await page.screenshot(path=f"{name}-{what}.png")

    await page.goto("/")
    await page.get_by_role("button", name="With a key").click()
    await take("sign-in")
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await page.get_by_label("Your question").wait_for()
    await take("ask")
    await ask(page, QUESTION)
    await page.get_by_role("button", name="Source 1").first.focus()
    await take("answer")
    await page.keyboard.press("Enter")
    await page.locator(".hit").first.wait_for()
    await take("citation")
    await page.keyboard.press("Escape")
    await ask(page, ABSENT)
    await take("absent")
    for path in ("/documents", "/search", "/chunks", "/evaluation", "/operations", "/people"):
        await page.goto(path)
        await page.get_by_role("heading", level=1).wait_for()
        await page.wait_for_timeout(600)
        await take(path.strip("/"))
    await context.close()


async def ask(page: Page, question: str) -> None:
    """Ask, and wait until the answer stands."""
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    await page.locator("article .answer[aria-busy=false]").last.wait_for()
    await page.wait_for_timeout(800)


if __name__ == "__main__":
    with fresh_folder() as passing:
        target = Path(sys.argv[1] if sys.argv[1:] else passing)
        target.mkdir(parents=True, exist_ok=True)
        asyncio.run(main(target))
        images = ROOT / "docs" / "images"
        for each in () if sys.argv[1:] else sorted(OF_README):
            images.mkdir(exist_ok=True)
            shutil.copy(target / each, images / each)
