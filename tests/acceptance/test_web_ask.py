"""The web application in a real browser: signing in, the first steps, answers and the places that they quote."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect
from web_people import PASSWORD, bearer, indexed, invited

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack

CORPUS = Path(__file__).parents[2] / "examples" / "corpus"
FILES = [CORPUS / "handbook/employee-handbook.md", CORPUS / "product/plover-gannet-manual.pdf"]
LEAVE = "How many days of paid annual leave does a full-time employee have?"
PUMPS = {
    "handbook.md": "# Warranty\n\nThe warranty of the pump is two years.",
    "flyer.md": "The warranty of the pump is three years.",
    "repairs.csv": "engineer,repairs of pumps in 2024\nPaul Kiel,7\nAnna Berg,12\n",
}
CERTIFICATE = "For how long is the calibration certificate of a sensor valid in pharmaceutical storage?"

COVERED = """() => {
  const [it, box] = [document.activeElement, document.activeElement.getBoundingClientRect()];
  const places = [[0.5, 0.5], [0.1, 0.1], [0.9, 0.1], [0.1, 0.9], [0.9, 0.9]];
  const seen = places.some(([x, y]) => {
    const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
    return top && (it.contains(top) || top.contains(it));
  });
  return seen || it === document.body ? null : it.outerHTML;
}"""
"""What has the focus, if none of it can be seen (WCAG 2.4.11)."""


@pytest.fixture(scope="module")
async def alice(running: tuple[Stack, str], chromium: Browser) -> tuple[str, str, str]:
    """Alice's fresh tenant and her key, after the first steps: from nothing to a cited answer, on the page alone."""
    stack, _ = running
    tenant_id, key = tenant_of(stack, "alice on the web")
    async with tab(chromium, stack.url) as page:
        await page.get_by_role("button", name="With a key").click()
        await page.get_by_label("API key").fill(key)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("heading", name="Three steps to your first answer")).to_be_visible()
        assert await accessible(page) == []
        await page.locator("input[type=file][multiple]").set_input_files(FILES)
        await expect(page.get_by_text("All 2 done.")).to_be_visible(timeout=60_000)
        await asked(page, LEAVE)
        await expect(page.locator(".answer")).to_contain_text("27")
    return stack.url, key, tenant_id


async def asked(page: Page, question: str) -> None:
    """Ask on the page, and wait until the answer stands."""
    await page.get_by_label("Your question").fill(question)
    await page.keyboard.press("Enter")
    answer = page.get_by_role("article", name=question).last
    await expect(answer.locator(".answer")).to_have_attribute("aria-busy", "false")


async def test_a_citation_shows_its_quote_and_opens_at_it(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """By keyboard alone: the words that are marked are those that are quoted."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, LEAVE)
        await page.get_by_role("button", name=re.compile("^Source 1")).first.focus()
        quoted = await page.get_by_role("tooltip").locator("q").inner_text()
        assert await accessible(page) == []
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog").locator("mark")).to_have_text(quoted, use_inner_text=False)
        assert await accessible(page) == []
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_a_pdf_opens_at_its_page_with_the_words_marked(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """Boxes lie over the words of the quote, on the page that is cited."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, CERTIFICATE)
        cite = page.get_by_role("button", name=re.compile("^Source 1")).first
        await cite.hover()
        quoted = await page.get_by_role("tooltip").locator("q").inner_text()
        await cite.click()
        await expect(page.locator(".hit").first).to_be_visible()
        marked = await page.locator(".sheet").get_attribute("data-marked") or ""
        assert squeezed(marked) == squeezed(quoted)
        assert "Page 8 of" in await page.get_by_role("dialog").inner_text()
        assert await accessible(page) == []


def squeezed(text: str) -> str:
    """Without what line breaks add or take."""
    return re.sub(r"[\s\u00ad\u2010-\u2015-]", "", text).lower()


async def test_a_conversation_is_gone_on_with_after_a_reload(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """By its address: the next question is understood after those before it, and the whole can be taken along."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, LEAVE)
        await page.reload()
        await expect(page.get_by_role("article")).to_have_count(1)
        await asked(page, "How is it requested?")
        await expect(page.get_by_text("Understood as:")).to_contain_text("annual leave")
        await page.get_by_role("button", name="Conversations").click()
        listed = page.get_by_role("dialog", name="Conversations")
        async with page.expect_download() as download:
            await listed.get_by_role("button", name=re.compile("^Download")).first.click()
        taken = Path(await (await download.value).path()).read_text()
        assert "## 2. How is it requested?" in taken


async def test_conversations_are_listed_named_and_deleted(
    alice: tuple[str, str, str], running: tuple[Stack, str], chromium: Browser
) -> None:
    """One's own alone: to a stranger the address leads nowhere, and to its owner neither after that."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, LEAVE)
        await page.get_by_role("button", name="Conversations").click()
        listed = page.get_by_role("dialog", name="Conversations").get_by_role("listitem")
        await listed.first.get_by_role("button", name=re.compile("^Rename")).click()
        await listed.first.get_by_label("Its name").fill("Holidays")
        await listed.first.get_by_role("button", name="Save").click()
        await expect(listed.first).to_contain_text("Holidays")
        assert await accessible(page) == []
        address = page.url
        async with tab(chromium, url, tenant_of(running[0], "charlie asks")[1], address) as strange:
            await expect(strange.get_by_role("alert")).to_contain_text("no such conversation")
        before = await listed.count()
        await listed.first.get_by_role("button", name=re.compile("^Delete")).click()
        await page.get_by_role("dialog").last.get_by_role("button", name="Delete", exact=True).click()
        await expect(listed).to_have_count(before - 1)
        await expect(page.get_by_role("article")).to_have_count(0)
        await page.goto(address)
        await expect(page.get_by_role("alert")).to_contain_text("no such conversation")


async def test_documents_that_disagree_are_shown_with_both_sides(
    running: tuple[Stack, str], chromium: Browser
) -> None:
    """And a quote of a sheet names its cells."""
    key = tenant_of(running[0], "alice who disagrees")[1]
    url = running[0].url
    with httpx.Client(base_url=url, headers=bearer(key), timeout=60) as http:
        http.post("/v1/collections", json={"name": "pumps"}).raise_for_status()
        for name, text in PUMPS.items():
            http.post("/v1/collections/pumps/documents", files={"file": (name, text)}).raise_for_status()
        indexed(http, len(PUMPS))
    async with tab(chromium, url, key) as page:
        await asked(page, "How long is the warranty of the pump?")
        clash = page.locator(".absent").filter(has_text="Your documents give different figures:")
        sides = clash.get_by_role("listitem")
        await expect(sides).to_have_count(2)
        assert await accessible(page) == []
        await asked(page, "How many repairs of pumps did Anna Berg make in 2024?")
        await (
            page.get_by_role("article").last.get_by_role("button", name=re.compile("^Source 1")).first.focus()
        )
        await expect(page.get_by_role("tooltip")).to_contain_text("A3:B3")


async def test_what_could_be_asked_next_is_a_button(alice: tuple[str, str, str], chromium: Browser) -> None:
    """Pressing it asks that."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, LEAVE)
        next_one = page.get_by_role("group", name="What to ask next").get_by_role("button").first
        wanted = await next_one.inner_text()
        await next_one.click()
        await expect(page.get_by_role("article", name=wanted)).to_be_visible()


async def test_a_conversation_that_is_gone_is_no_dead_end(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """The next question begins another one, says so, and is answered; what has the focus is not below the box."""
    url, key, _ = alice
    async with tab(chromium, url, key, viewport={"width": 390, "height": 700}) as page:
        await asked(page, LEAVE)
        thread = page.url.rpartition("=")[2]
        httpx.delete(f"{url}/v1/threads/{thread}", headers=bearer(key)).raise_for_status()
        await asked(page, LEAVE)
        await expect(page.get_by_text("This begins another one.")).to_be_visible()
        assert thread not in page.url
        await page.locator("a.brand").focus()
        for _ in range(14):
            await page.keyboard.press("Tab")
            await page.wait_for_timeout(200)  # a quote that the focus has left goes
            assert await page.evaluate(COVERED) is None


async def test_what_is_not_in_the_documents_is_said_so(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """With what comes nearest."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await asked(page, "Who won the football world cup of 1954?")
        await expect(page.get_by_text("This is not in your documents.")).to_be_visible()
        await expect(page.get_by_text("What comes nearest", exact=True)).to_be_visible()
        assert await accessible(page) == []


async def test_a_stream_that_is_cut_and_a_server_that_is_away_are_said_so(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """What came stays, what was typed stays, and the next try answers."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await page.get_by_label("Your question").fill(LEAVE)
        await page.context.set_offline(True)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        await page.context.set_offline(False)

        async def cut(route: Route) -> None:
            whole = await route.fetch()
            await route.fulfill(response=whole, body=(await whole.text()).partition("event: done")[0])

        await page.route("**/v1/answers", cut)
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("alert")).to_contain_text("broke off")
        await expect(page.locator(".answer")).to_contain_text("27")
        await page.unroute("**/v1/answers")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_role("button", name="Copy with sources")).to_be_visible()


async def test_a_key_that_ends_asks_to_sign_in_and_loses_nothing(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """The page stays under the dialog, with what is typed in it."""
    url, key, _ = alice
    owner = bearer(key)
    made = httpx.post(f"{url}/v1/keys", json={"name": "short", "role": "reader"}, headers=owner).json()
    async with tab(chromium, url, made["secret"]) as page:
        await page.get_by_label("Your question").fill("half a question")
        httpx.delete(f"{url}/v1/keys/{made['key']['key_id']}", headers=owner).raise_for_status()
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Sign in again")
        await dialog.get_by_label("API key").fill(key)
        assert await accessible(page) == []
        await dialog.get_by_role("button", name="Sign in", exact=True).click()
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_label("Your question")).to_have_value("half a question")


async def test_an_invited_person_comes_in_with_a_password(
    alice: tuple[str, str, str], running: tuple[Stack, str], chromium: Browser
) -> None:
    """The link of the mail, a password, then cookies that no script reads; and out again."""
    url, key, tenant_id = alice
    link = await invited(running[0], tenant_id, key, "bob-on-the-web@example.com")
    async with tab(chromium, url, path=f"/accept#{link}") as page:
        await expect(page.get_by_text("invites bob-on-the-web@example.com")).to_be_visible()
        assert await accessible(page) == []
        await page.get_by_label("A new password").fill(PASSWORD)
        await page.get_by_role("button", name="Accept and sign in").click()
        await asked(page, LEAVE)
        hidden = {each["name"]: each["httpOnly"] for each in await page.context.cookies()}
        assert hidden == {
            "__Host-knowlog-access": True, "__Host-knowlog-refresh": True, "__Host-knowlog-csrf": False
        }  # fmt: skip
        await page.context.clear_cookies(
            name="__Host-knowlog-access"
        )  # as after its ten minutes: it is renewed
        await page.reload()
        await asked(page, LEAVE)
        await page.get_by_role("button", name="Sign out").click()
        await page.get_by_label("E-mail address").fill("bob-on-the-web@example.com")
        await page.get_by_label("Password", exact=True).fill("not this")
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert await accessible(page) == []
