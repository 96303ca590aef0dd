"""The web application in a real browser: what does not work, in words and with a way on; nobody sees another's."""

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect
from web_people import bearer

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack


@pytest.fixture(scope="module")
def alice(running: tuple[Stack, str]) -> tuple[str, str, str]:
    """The address, Alice's key, and the key of Charlie in another tenant."""
    stack, _ = running
    key = tenant_of(stack, "alice in trouble")[1]
    httpx.post(f"{stack.url}/v1/collections", json={"name": "zoo"}, headers=bearer(key)).raise_for_status()
    return stack.url, key, tenant_of(stack, "charlie elsewhere")[1]


async def away(route: Route) -> None:
    """As where nobody listens."""
    await route.abort()


async def broken(route: Route) -> None:
    """As a proxy answers whose server is away."""
    await route.fulfill(status=502, body="<html>Bad gateway</html>", content_type="text/html")


async def test_a_reload_while_the_server_is_away_says_so_and_keeps_key_and_question(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """Cut off, then behind a proxy that finds nobody: no form to sign in, which would not help."""
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await page.get_by_label("Your question").fill("half a question")
        for answer in (away, broken):
            await page.route("**/v1/**", answer)
            await page.reload()
            await expect(page.get_by_role("alert")).to_be_visible()
            await expect(page.get_by_label("E-mail address")).to_have_count(0)
            await page.unroute("**/v1/**")
        assert await accessible(page) == []
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_label("Your question")).to_have_value("half a question")


async def test_a_suspended_tenant_is_told_so_when_the_page_is_loaded(
    running: tuple[Stack, str], chromium: Browser
) -> None:
    """The key is kept: it is good again when the tenant is."""
    stack, _ = running
    tenant_id, key = tenant_of(stack, "bob at rest")
    operator = bearer(stack.operator_key)
    suspension = f"{stack.url}/v1/tenants/{tenant_id}/suspension"
    httpx.put(suspension, json={}, headers=operator).raise_for_status()
    async with tab(chromium, stack.url, key) as page:
        await expect(page.get_by_role("alert")).to_contain_text("suspended", timeout=20_000)
        httpx.delete(suspension, headers=operator).raise_for_status()
        await page.get_by_role("button", name="Try again").click()
        await expect(page.get_by_label("Your question")).to_be_visible()


async def session_ends(page: Page, url: str, key: str) -> Page:
    """Alice's short key is revoked while she is on the page, which asks to sign in again."""
    made = httpx.post(f"{url}/v1/keys", json={"name": "short", "role": "editor"}, headers=bearer(key)).json()
    await page.evaluate("key => sessionStorage.setItem('knowlog-key', key)", made["secret"])
    httpx.delete(f"{url}/v1/keys/{made['key']['key_id']}", headers=bearer(key)).raise_for_status()
    return page


async def sign_in_again(page: Page, key: str) -> None:
    """Fill the dialog that lies over the page."""
    dialog = page.get_by_role("dialog", name="Sign in again")
    await dialog.get_by_label("API key").fill(key)
    await dialog.get_by_role("button", name="Sign in", exact=True).click()
    await expect(dialog).to_have_count(0)


async def test_who_signs_in_to_another_tenant_finds_nothing_of_the_first(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """Neither the conversation nor the half question: the page begins anew under the new key."""
    url, key, charlie = alice
    async with tab(chromium, url, key) as page:
        await page.get_by_label("Your question").fill("Where is the swordfish?")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("This is not in your documents.")).to_be_visible()
        await session_ends(page, url, key)
        await page.get_by_label("Your question").fill("and half a question")
        await page.keyboard.press("Enter")
        await sign_in_again(page, charlie)
        await expect(page.get_by_role("heading", name="Three steps to your first answer")).to_be_visible()
        await expect(page.get_by_text("swordfish")).to_have_count(0)
        await expect(page.get_by_label("Your question")).to_have_value("")


async def test_what_failed_with_the_session_comes_by_itself_after_signing_in_again(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """The list is there, and no word of a key that is not valid."""
    url, key, _ = alice
    async with tab(chromium, url, key, "/evaluation/datasets") as page:
        await expect(page.get_by_text("There is no dataset yet.")).to_be_visible()
        await expect(page.get_by_label("For so many days")).to_be_visible()  # the last that this page loads
        await session_ends(page, url, key)
        await page.get_by_role("link", name="Runs").click()
        await expect(page.get_by_role("alert").first).to_be_visible()
        await sign_in_again(page, key)
        await expect(page.get_by_text("There is no run yet.")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("reason", ["constructor", "__proto__"])
async def test_a_reason_that_nobody_gives_prints_no_code(
    alice: tuple[str, str, str], chromium: Browser, reason: str
) -> None:
    """A link may name any reason for a refused sign-on; what JavaScript keeps under that name is not shown."""
    async with tab(chromium, alice[0], None, f"/?sign_on={reason}") as page:
        await expect(page.get_by_label("E-mail address")).to_be_visible()
        shown = await page.inner_text("body")
        assert "native code" not in shown
        assert "[object" not in shown


async def test_a_tab_with_files_on_their_way_asks_before_it_closes(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """As browsers do where a page asks for it; what has arrived needs no question."""
    url, key, _ = alice
    asked = "() => !dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    async with tab(chromium, url, key, "/documents") as page:
        await expect(page.get_by_role("button", name="Choose files")).to_be_visible()
        assert not await page.evaluate(asked)
        await page.route("**/v1/collections/*/documents**", lambda route: None)  # it never ends
        files = [{"name": "a.md", "mimeType": "text/markdown", "buffer": b"A swordfish."}]
        await page.locator("input[type=file]").first.set_input_files(files)
        await page.wait_for_function(asked)
