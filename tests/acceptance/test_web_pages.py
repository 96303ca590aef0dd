"""The web application in a real browser: search inspector, chunk lab, evaluation, operations, people."""

import httpx
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack

PATHS = (
    "/search", "/chunks", "/evaluation/datasets", "/evaluation/runs", "/evaluation/tunings", "/operations/pace",
    "/operations/jobs", "/operations/events", "/operations/usage", "/operations/dead-letters", "/people/members",
    "/people/groups", "/people/keys", "/people/collections", "/people/audit",
)  # fmt: skip
ANIMALS = ("Zebra", "Okapi", "Lemur", "Tapir")


@pytest.fixture(scope="module")
def alice(running: tuple[Stack, str]) -> tuple[str, str]:
    """The address, and the key of Alice's tenant, with documents on animals and one that nothing can read."""
    stack, _ = running
    key = tenant_of(stack, "alice with many pages")[1]
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        http.post("/v1/collections", json={"name": "zoo"}).raise_for_status()
        made = [
            http.post(
                "/v1/collections/zoo/documents", json={"external_id": each, "title": each, "text": text(each)}
            )
            for each in ANIMALS
        ]
        broken = {"file": ("broken.pdf", b"%PDF-1.7 and nothing that follows from it", "application/pdf")}
        made.append(http.post("/v1/collections/zoo/documents", files=broken))
        for answer in made:
            settle(http, answer.json()["items"][0]["document_id"])
    return stack.url, key


def text(animal: str) -> str:
    """Two sections on an animal."""
    eats = " ".join(f"The {animal} number {n} eats {n + 3} apples on day {n} of May." for n in range(12))
    lives = " ".join(f"In the year {1950 + n} there were {40 + n} of them in house {n}." for n in range(12))
    return f"# {animal}\n\n## Food\n\n{eats}\n\n## House\n\n{lives}\n"


def settle(http: httpx.Client, document_id: str) -> None:
    """Wait until a document is indexed or has failed."""
    with http.stream("GET", f"/v1/documents/{document_id}/events") as told:
        for _ in told.iter_lines():
            pass


async def narrow(page: Page) -> bool:
    """Whether nothing scrolls sideways but what lies in a box of its own, at 320 pixels."""
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.wait_for_timeout(100)  # plots take their new width
    wide = await page.evaluate("document.documentElement.scrollWidth")
    await page.set_viewport_size({"width": 1280, "height": 720})
    return bool(wide <= 320)


def button(page: Page | Locator, name: str) -> Locator:
    """The button of exactly this name."""
    return page.get_by_role("button", name=name, exact=True)


async def test_a_search_shows_what_each_leg_found(alice: tuple[str, str], chromium: Browser) -> None:
    """Ranks and scores of both, one order, and the way to the place."""
    url, key = alice
    async with tab(chromium, url, key, "/search") as page:
        await page.get_by_label("Question").fill("How many apples does the okapi number 7 eat?")
        await button(page, "Search").click()
        first = page.get_by_role("region", name="Passages").get_by_role("row").nth(1)
        await expect(first).to_contain_text("Okapi")
        await expect(first).to_contain_text("place 1")
        await expect(page.get_by_role("img", name="Each line is a passage")).to_be_visible()
        assert await accessible(page) == []
        await first.get_by_role("link").click()
        await expect(page.locator("mark").first).to_contain_text("Okapi")


async def test_a_document_is_cut_in_two_ways_and_asked(alice: tuple[str, str], chromium: Browser) -> None:
    """Boundaries beside each other, sizes as a plot, and what the question finds under each."""
    url, key = alice
    async with tab(chromium, url, key, "/chunks") as page:
        await page.get_by_label("Document").select_option("Lemur")
        for at in (1, 2):
            await page.get_by_label(f"Most tokens in a chunk, {at}").fill("32")
        await page.get_by_label("Question (optional)").fill("How many lemurs were there in 1957?")
        await button(page, "Cut").click()
        for strategy in ("recursive", "structure"):
            cut = page.get_by_role("region", name=strategy, exact=True)
            await expect(cut.get_by_role("listitem").first).to_contain_text("1957")
            await expect(cut.get_by_role("region").locator(".number").nth(2)).to_be_visible()
        await expect(page.get_by_role("img", name="Sizes of the chunks")).to_be_visible()
        assert await accessible(page) == []


async def test_runs_are_started_compared_and_read(alice: tuple[str, str], chromium: Browser) -> None:
    """From the documents' own sentences to a dataset, two runs, their difference and the worst questions."""
    url, key = alice
    async with tab(chromium, url, key, "/evaluation/datasets") as page:
        await page.get_by_label("Name").fill("drafts")
        await page.get_by_label("Collection").select_option("zoo")
        await page.get_by_label("Most questions").fill("24")
        await button(page, "Make").click()
        await expect(page.get_by_role("region", name="Datasets")).to_contain_text("synthetic")
        assert await narrow(page)
        assert await accessible(page) == []
        await page.get_by_role("link", name="Runs").click()
        for label in ("before", "after"):
            await page.get_by_label("Dataset").select_option("drafts")
            await page.get_by_label("Label").fill(label)
            await button(page, "Start").click()
            await expect(page.get_by_role("link", name=label)).to_be_visible(timeout=60_000)
        for label in ("before", "after"):
            await page.get_by_label(f"Compare {label}").check()
        assert await accessible(page) == []
        await button(page, "Compare").click()
        await expect(page.get_by_role("heading", name="A: before, B: after")).to_be_visible()
        await expect(page.get_by_text("B is not shown to be worse at anything.")).to_be_visible()
        assert await accessible(page) == []
        await page.get_by_role("link", name="All runs").click()
        await page.get_by_role("link", name="before").click()
        await expect(page.get_by_role("heading", name="The worst questions")).to_be_visible()
        assert await narrow(page)
        assert await accessible(page) == []


async def test_a_tuning_is_watched_applied_and_taken_back(alice: tuple[str, str], chromium: Browser) -> None:
    """From its start to the old profile again."""
    url, key = alice
    async with tab(chromium, url, key, "/evaluation/tunings") as page:
        await page.get_by_label("Dataset").select_option("drafts (zoo)")
        await page.get_by_label("Most ways of cutting").fill("1")
        await button(page, "Start").click()
        await expect(page.get_by_role("img", name="what it costs to read")).to_be_visible(timeout=90_000)
        assert await narrow(page)
        assert await accessible(page) == []
        await button(page, "Apply").first.click()
        await button(page.get_by_role("dialog"), "Apply").click()
        await button(page, "Roll back").click(timeout=60_000)
        await button(page.get_by_role("dialog"), "Roll back").click()
        await expect(page.get_by_role("heading", name="Roll-back to the old profile")).to_contain_text(
            "done", timeout=60_000
        )
        await page.reload()
        await expect(page.get_by_role("heading", name="Roll-back to the old profile")).to_contain_text("done")


async def test_questions_are_kept_and_forgotten_from_the_page(
    alice: tuple[str, str], chromium: Browser
) -> None:
    """Feedback needs it; nobody must know the API for that."""
    url, key = alice
    async with tab(chromium, url, key, "/evaluation/datasets") as page:
        await page.get_by_label("For so many days").fill("30")
        await button(page, "Keep them").click()
        await expect(page.get_by_text("each for 30 days; 0 so far")).to_be_visible()
        assert await narrow(page)
        assert await accessible(page) == []
        await button(page, "Keep no longer").click()
        await button(page.get_by_role("dialog"), "Keep no longer").click()
        await expect(button(page, "Keep them")).to_be_visible()


async def test_a_dead_job_is_tried_again_and_events_are_followed(
    alice: tuple[str, str], chromium: Browser
) -> None:
    """The reason stands with the job; what happens is told while one looks."""
    url, key = alice
    async with tab(chromium, url, key, "/operations/jobs?state=dead") as page:
        jobs = page.get_by_role("table", name="Jobs")
        await expect(jobs).to_contain_text("document.received")
        assert await accessible(page) == []
        await button(jobs, "Retry").click()
        await expect(page.get_by_text("The job is in the queue again.")).to_be_visible()
        await page.get_by_role("link", name="Events").click()
        events = page.get_by_role("list", name="Events")
        await expect(events).to_contain_text("document.failed")
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}) as http:
            http.post("/v1/collections", json={"name": "empty"})
            http.delete("/v1/collections/empty").raise_for_status()
        await expect(events).to_contain_text("collection.deleted")
        assert await accessible(page) == []
        await page.get_by_role("link", name="Speed").click()
        await expect(page.get_by_role("img", name="How long jobs took")).to_be_visible()
        assert await accessible(page) == []


async def test_a_key_is_made_used_and_revoked(alice: tuple[str, str], chromium: Browser) -> None:
    """It is shown once, opens what it may, is refused at once, and the log knows of it."""
    url, key = alice
    async with tab(chromium, url, key, "/people/keys") as page:
        await page.get_by_label("Name").fill("intranet")
        await button(page, "Create").click()
        shown = page.get_by_role("dialog", name="Your new key")
        secret = {"Authorization": f"Bearer {await shown.locator('code').inner_text()}"}
        assert await accessible(page) == []
        await page.keyboard.press("Escape")
        assert httpx.get(f"{url}/v1/collections", headers=secret).status_code == 200
        await button(page, "Revoke intranet").click()
        await button(page.get_by_role("dialog"), "Revoke").click()
        await expect(page.get_by_text("intranet opens nothing any more.")).to_be_visible()
        assert httpx.get(f"{url}/v1/collections", headers=secret).status_code == 401
        await page.get_by_role("link", name="Audit log").click()
        await expect(page.get_by_role("table", name="Audit log")).to_contain_text("key.revoked")
        assert await accessible(page) == []


async def test_members_groups_and_profiles_are_kept(alice: tuple[str, str], chromium: Browser) -> None:
    """Bob comes in and into a group; the zoo is weighed anew."""
    url, key = alice
    async with tab(chromium, url, key, "/people/members") as page:
        await page.get_by_label("E-mail address").fill("bob-of-the-zoo@example.com")
        await page.get_by_label("How").select_option("At once, without asking")
        await button(page, "Add").click()
        await expect(page.get_by_role("region", name="Members")).to_contain_text("bob-of-the-zoo")
        assert await accessible(page) == []
        await page.get_by_role("link", name="Groups").click()
        await page.get_by_label("Name of a new group").fill("keepers")
        await button(page, "Create").click()
        await button(page, "Members").click()
        await page.get_by_label("bob-of-the-zoo").check()
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("1 member")).to_be_visible()
        await page.get_by_role("link", name="Collections").click()
        zoo = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="zoo"))
        await button(zoo, "Change").click()
        await page.get_by_label("Weight of meaning (0–1)").fill("0.5")
        assert await accessible(page) == []
        await button(page, "Save").click()
        await expect(page.get_by_text("The profile is saved.")).to_be_visible()
    shown = httpx.get(f"{url}/v1/collections/zoo", headers={"Authorization": f"Bearer {key}"}).json()
    assert shown["profile"]["retrieval"]["dense_weight"] == 0.5


async def test_the_operator_sees_health_and_tenants(
    alice: tuple[str, str], running: tuple[Stack, str], chromium: Browser
) -> None:
    """Of all tenants, and nothing of what they hold."""
    async with tab(chromium, alice[0], running[0].operator_key, "/operations") as page:
        await expect(page.get_by_role("heading", name="This server")).to_contain_text("ok")
        assert await accessible(page) == []
        await page.get_by_role("link", name="Tenants").click()
        await expect(page.get_by_role("region", name="Tenants")).to_contain_text("alice with many pages")
        assert await accessible(page) == []
        assert "Okapi" not in await page.content()


async def test_a_stranger_sees_nothing_on_any_page(
    alice: tuple[str, str], running: tuple[Stack, str], chromium: Browser
) -> None:
    """At 320 pixels, on which nothing scrolls sideways: Charlie's own pages hold nothing of Alice's."""
    charlie = tenant_of(running[0], "charlie with many pages")[1]
    async with tab(chromium, alice[0], charlie, viewport={"width": 320, "height": 640}) as page:
        for path in PATHS:
            await page.goto(path)
            await expect(page.get_by_role("heading", level=1)).to_have_count(1)
            await expect(page.get_by_text("One moment …")).to_have_count(0)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320, path
            told = await page.content()
            assert [word for word in ("zoo", "Okapi", "drafts", "broken.pdf", "alice") if word in told] == []
