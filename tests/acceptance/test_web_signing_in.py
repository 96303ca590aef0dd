"""The web application in a real browser: second factors, single sign-on, two tenants of one person, sessions that end."""

import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
import pyotp
import pytest
from playwright.async_api import Browser, Page, expect
from web_people import PASSWORD, bearer, joined, sign_in

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack
from openid_provider import Provider

BOB, CAROL = "bob-who-signs-in@example.com", "carol-who-signs-in@example.com"
CAROL_TOO, ERNA_TOO = "carol-who-goes@example.com", "erna-who-signs-in@example.com"
ERNA = {"email": ERNA_TOO, "password": PASSWORD, "cookies": True}
SIGNING_IN = {"method": "POST", "headers": {"Content-Type": "application/json"}}
ABROAD = "https://fonts.googleapis.com"  # what the pages of the provider ask for


@dataclass(frozen=True)
class World:
    """Alice's tenant, which Bob and Carol are members of; and Dora's, which Bob is a member of as well."""

    url: str
    alice: str
    dora: str


@pytest.fixture(scope="module")
async def world(running: tuple[Stack, str]) -> World:
    """Both tenants, each with a collection that the other has not."""
    stack, _ = running
    tenant_id, alice = tenant_of(stack, "alice who lets people in")
    abroad, dora = tenant_of(stack, "dora who lets people in")
    await joined(stack, tenant_id, alice, BOB, "admin")
    await joined(stack, tenant_id, alice, CAROL)
    await joined(stack, tenant_id, alice, CAROL_TOO)
    await joined(stack, abroad, dora, ERNA_TOO, "editor")
    for key, collection in ((alice, "zebras"), (dora, "okapis")):
        httpx.post(f"{stack.url}/v1/collections", json={"name": collection}, headers=bearer(key))
    httpx.post(f"{stack.url}/v1/members", json={"email": BOB, "role": "reader"}, headers=bearer(dora))
    return World(stack.url, alice, dora)


async def press(page: Page, name: str) -> None:
    """Press the button of exactly this name."""
    await page.get_by_role("button", name=name, exact=True).click()


async def test_a_second_factor_is_set_up_and_asked_for(world: World, chromium: Browser) -> None:
    """A wrong code is refused in words and nothing typed is lost; the right one lets her in."""
    async with tab(chromium, world.url, path="/people/you") as page:
        await sign_in(page, CAROL)
        factor = page.get_by_role("region", name="Second factor")
        await factor.get_by_label("Present password").fill(PASSWORD)
        await press(page, "Set up an app")
        codes = pyotp.TOTP(await factor.locator("code").inner_text())
        await page.evaluate(
            "scrollTo(0, 0)"
        )  # the header covers half of the tabs, which axe takes for small ones
        assert await accessible(page) == []
        now = time.time()
        await page.get_by_label("Code", exact=True).fill(codes.at(now))
        await press(page, "Confirm")
        await expect(page.get_by_text("each is good once")).to_be_visible()
        await page.evaluate("scrollTo(0, 0)")
        assert await accessible(page) == []
        await press(page, "I have kept them")
        await page.get_by_role("banner").get_by_role("button", name="Sign out").click()
        await sign_in(page, CAROL)
        code = page.get_by_label("Code of your second factor")
        await code.fill("000000")
        await press(page, "Sign in")
        await expect(page.get_by_role("alert")).to_be_visible()
        await expect(page.get_by_label("Password", exact=True)).to_have_value(PASSWORD)
        assert await accessible(page) == []
        await code.fill(codes.at(now + 30))  # the first was good once
        await press(page, "Sign in")
        await expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


async def test_the_company_s_sign_on_leads_in_and_back_to_where_one_was(
    world: World, start: str, openid: Provider, chromium: Browser
) -> None:
    """By a real provider; when the session ends it leads in again, and the question being typed is still there."""
    openid.users({"erin": {"email": "erin@example.com", "email_verified": True, "name": "Erin"}})
    also = (openid.issuer, ABROAD)
    async with tab(chromium, world.url, path="/?q=half+a+question", also=also) as page:
        await page.get_by_label("Your company's sign-on address").fill("nonsense")
        await press(page, "Sign in with your company")
        await expect(page.get_by_role("alert")).to_contain_text("looks like /v1/sign-on/")
        await page.get_by_label("Your company's sign-on address").fill(start)
        await press(page, "Sign in with your company")
        await at_provider(page, "erin")
        box = page.get_by_label("Your question")
        await expect(box).to_have_value("half a question")
        await box.fill("half a question, and more")
        await page.context.clear_cookies(name="__Host-knowlog-access")
        await page.context.clear_cookies(name="__Host-knowlog-refresh")
        await page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog", name="Sign in again")
        await expect(dialog.get_by_label("Your company's sign-on address")).not_to_have_value("")
        assert await accessible(page) == []
        await dialog.get_by_role("button", name="Sign in with your company").click()
        await expect(box).to_have_value("half a question, and more")


async def test_whom_a_tenant_does_not_let_in_is_told_so_in_the_page(
    world: World, start: str, openid: Provider, chromium: Browser
) -> None:
    """Not by a program's words; and so is who has a wrong address."""
    openid.users({"mallory": {"email": "mallory@elsewhere.example", "email_verified": True, "name": "Mal"}})
    async with tab(chromium, world.url, path=start + "?return_to=/", also=(openid.issuer, ABROAD)) as page:
        await at_provider(page, "mallory")
        await expect(page.get_by_role("alert")).to_contain_text("you are not let in here")
        await page.goto(start.replace("company", "nowhere") + "?return_to=/")
        await expect(page.get_by_role("alert")).to_contain_text("no such sign-on address")


async def at_provider(page: Page, account: str) -> None:
    """Sign in at the provider and agree, as a person does."""
    await page.locator("input[name=login]").fill(account)
    await page.locator("input[name=password]").fill("any")
    await page.locator("button[type=submit]").click()
    await press(page, "Continue")


@pytest.fixture(scope="module")
async def start(world: World, openid: Provider) -> str:
    """The address at which people of Alice's tenant begin to sign in by the provider."""
    openid.start()
    terms = {"client_id": "knowlog", "client_secret": "a-secret-of-the-client", "domains": ["example.com"]}
    with httpx.Client(base_url=world.url, headers=bearer(world.alice)) as http:
        wanted: dict[str, Any] = {"name": "company", "issuer": openid.issuer, "scopes": ["email", "profile"]}
        made = http.post("/v1/sign-on", json={**wanted, **terms})
        made.raise_for_status()
        client = await openid.registered(made.json()["redirect_uri"])
        http.patch("/v1/sign-on/company", json=client).raise_for_status()
    return str(made.json()["start"])


async def test_a_member_of_two_tenants_goes_from_one_to_the_other(world: World, chromium: Browser) -> None:
    """Each shows its own, and nothing of the other's: neither what was typed, nor in another tab."""
    async with tab(chromium, world.url) as page:
        await sign_in(page, BOB)
        await page.get_by_label("Your question").fill("Does Alice sell her zebras?")
        other = await page.context.new_page()
        await other.goto("/people/collections")
        await expect(other.get_by_role("heading", name="zebras")).to_be_visible()
        await page.get_by_role("link", name="People").click()
        await page.get_by_role("link", name="Collections").click()
        await expect(page.get_by_role("heading", name="zebras")).to_be_visible()
        await page.get_by_role("link", name="You").click()
        await expect(page.get_by_text("dora who lets people in")).to_be_visible()
        assert await accessible(page) == []
        await press(page, "Go there")
        dora = page.get_by_role("listitem").filter(has_text="dora who lets people in")
        await expect(dora.get_by_text("here", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Collections").click()
        await expect(page.get_by_role("heading", name="okapis")).to_be_visible()
        await expect(page.get_by_role("heading", name="zebras")).to_have_count(0)
        await expect(other.get_by_label("Your question")).to_have_value("")
        await page.get_by_role("link", name="Ask", exact=True).click()
        await expect(page.get_by_label("Your question")).to_have_value("")
        await page.get_by_role("link", name="People").click()
        await page.get_by_role("link", name="You").click()
        await press(page, "Go there")
        alice = page.get_by_role("listitem").filter(has_text="alice who lets people in")
        await expect(alice.get_by_text("here", exact=True)).to_be_visible()


async def test_who_signs_out_leaves_nothing_to_the_next(world: World, chromium: Browser) -> None:
    """Neither the conversation nor what was being typed, in the same tab."""
    async with tab(chromium, world.url) as page:
        await sign_in(page, BOB)
        await page.get_by_label("Your question").fill("What does Bob alone ask?")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("This is not in your documents.")).to_be_visible()
        await page.get_by_label("Your question").fill("And what does he type?")
        await press(page, "Sign out")
        await press(page, "With a key")
        await page.get_by_label("API key").fill(world.alice)
        await press(page, "Sign in")
        await expect(page.get_by_label("Your question")).to_have_value("")
        assert "Bob alone" not in await page.content()


async def test_a_tab_sends_nothing_to_whom_another_tab_belongs_now(world: World, chromium: Browser) -> None:
    """Somebody else signs in beside it, without that it was told: what is dropped there comes to neither of them."""
    async with tab(chromium, world.url, path="/documents") as page:
        await sign_in(page, BOB)
        await expect(page.get_by_text("There are no documents yet.")).to_be_visible()
        await page.evaluate("told => fetch('/v1/sessions', told)", SIGNING_IN | {"body": json.dumps(ERNA)})
        note = {"name": "bob.md", "mimeType": "text/markdown", "buffer": b"What Bob alone knows."}
        await page.locator("input[type=file][multiple]").set_input_files([note])  # type: ignore[list-item]
        await expect(page.get_by_label("Your question")).to_be_visible()  # it has begun anew, for Erna
        await page.get_by_role("link", name="Documents").click()
        await expect(page.get_by_text("There are no documents yet.")).to_be_visible()
    for key in (world.alice, world.dora):
        assert httpx.get(f"{world.url}/v1/documents", headers=bearer(key)).json()["items"] == []


async def test_a_sign_out_that_fails_is_told(world: World, chromium: Browser) -> None:
    """Who walks away would leave everything to the next; and other tabs go along with one that works."""
    async with tab(chromium, world.url) as page:
        await sign_in(page, CAROL_TOO)
        await expect(page.get_by_label("Your question")).to_be_visible()
        other = await page.context.new_page()
        await other.goto("/people")
        await expect(other.get_by_text(CAROL_TOO).first).to_be_visible()
        await page.context.set_offline(True)
        await press(page, "Sign out")
        await expect(page.get_by_role("status")).to_contain_text("You are still signed in.")
        await page.context.set_offline(False)
        await press(page, "Sign out")
        for each in (page, other):
            await expect(each.get_by_role("heading", name="Sign in")).to_be_visible()
        assert CAROL_TOO not in await other.inner_text("body")


async def test_a_session_that_ends_in_the_middle_of_a_form_costs_no_word(
    world: World, chromium: Browser
) -> None:
    """Nor does a server that is away; the same form is sent afterwards."""
    async with tab(chromium, world.url, path="/people/groups") as page:
        await sign_in(page, BOB)
        name = page.get_by_label("Name of a new group")
        await name.fill("those who count zebras")
        await page.context.set_offline(True)
        await press(page, "Create")
        await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        await page.context.set_offline(False)
        await page.context.clear_cookies()
        await press(page, "Create")
        dialog = page.get_by_role("dialog", name="Sign in again")
        await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
        await dialog.get_by_role("button", name="Sign in", exact=True).click()
        await expect(dialog).to_have_count(0)
        await expect(name).to_have_value("those who count zebras")
        await press(page, "Create")
        await expect(page.get_by_role("listitem").filter(has_text="those who count zebras")).to_be_visible()
