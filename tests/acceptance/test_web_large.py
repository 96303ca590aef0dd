"""The web application and what is large: files in pieces, sheets, a hundred thousand documents."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from browser import accessible, tab, tenant_of
from knowlog.cli.processes import Stack
from knowlog.database import Scope, open_database
from paged_pdf import paged_pdf

DOCUMENTS = 100_000
_FILLED_S = 180
MB = 2**20
_NOTE_INTERACTIONS = """
window.slowest = 0;
new PerformanceObserver(list => {
  for (const each of list.getEntries()) if (each.interactionId) window.slowest = Math.max(window.slowest, each.duration);
}).observe({type: "event", durationThreshold: 16, buffered: true});
"""
"""Event Timing: from an interaction to the next paint, in steps of 8 ms; what takes less than 16 is not told."""

_DOCUMENTS = """
insert into documents (tenant_id, document_id, collection_id, external_id, title, title_given, version, latest, state,
                       created_at)
select tenant(), gen_random_uuid(), $1, 'crowd/' || n, 'Document number ' || n, true, 1, 1, 'indexed',
       now() - interval '1 day' + n * interval '1 millisecond'
from generate_series(1, $2::integer) n"""
_VERSIONS = """
insert into versions (tenant_id, document_id, version, blob, content_hash, size_bytes, filename)
select tenant(), document_id, 1, tenant() || '/' || document_id || '/1', '\\x00', 4321, 'a.md'
from documents where tenant_id = tenant() and collection_id = $1"""


@pytest.fixture(scope="module")
def alice(running: tuple[Stack, str]) -> tuple[str, str, str]:
    """The address, the key of Alice's fresh tenant, and its id."""
    tenant_id, key = tenant_of(running[0], "alice with much")
    return running[0].url, key, tenant_id


@pytest.fixture(scope="module")
async def crowded(running: tuple[Stack, str], alice: tuple[str, str, str]) -> AsyncIterator[None]:
    """A hundred thousand documents in Alice's tenant, as far as a list of them shows."""
    stack, (url, key, tenant_id) = running[0], alice
    made = httpx.post(f"{url}/v1/collections", json={"name": "crowd"}, headers=bearer(key)).json()
    database = await open_database(stack.settings.database, stack.settings.data_dir)
    collection, scope = UUID(made["collection_id"]), Scope(UUID(tenant_id), "test")
    async with database.transaction(scope) as connection:
        await connection.execute(_DOCUMENTS, collection, DOCUMENTS, timeout=_FILLED_S)
    async with (
        database.owner() as owner
    ):  # else each version's document may be sought among all of the tenant's
        await owner.execute("analyze knowlog.documents")
    async with database.transaction(scope) as connection:
        await connection.execute(_VERSIONS, collection, timeout=_FILLED_S)
    async with database.owner() as owner:
        await owner.execute("analyze knowlog.versions")
    yield
    await database.close()


async def test_a_large_file_goes_on_where_its_connection_broke(
    alice: tuple[str, str, str], chromium: Browser, tmp_path: Path
) -> None:
    """Its second piece is cut off: it is sent again, and the first is not."""
    url, key, _ = alice
    path = tmp_path / "minutes.html"
    path.write_text(f"<!-- {'x' * (17 * MB)} --><h1>Minutes</h1><p>The meeting begins at nine.</p>")
    sent: Counter[str] = Counter()

    async def cut_the_second(route: Route) -> None:
        offset = route.request.headers.get("upload-offset", "")
        sent[offset] += 1
        await (route.abort() if offset == str(8 * MB) and sent[offset] == 1 else route.continue_())

    async with tab(chromium, url, key, "/documents") as page:
        await page.route("**/v1/uploads/*", cut_the_second)
        await page.locator("input[type=file][multiple]").set_input_files(path)
        await expect(page.get_by_text("All 1 done.")).to_be_visible(timeout=60_000)
    assert {offset: times for offset, times in sent.items() if offset} == {
        "0": 1, str(8 * MB): 2, str(16 * MB): 1
    }  # fmt: skip


async def test_a_citation_of_a_sheet_opens_as_a_grid_at_its_cells(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """Only what is in view is on the page; keys lead from cell to cell."""
    url, key, _ = alice
    rows = "\n".join(f"P-{number},Part {number},{number * 3}" for number in range(1, 301))
    document = stored(url, key, "parts.csv", f"number,name,price\n{rows}\n".encode())
    text = httpx.get(f"{url}/v1/documents/{document}/text", headers=bearer(key)).json()["text"]
    start = text.index("Part 250")
    async with tab(chromium, url, key, f"/documents/{document}?start={start}&end={start + 8}") as page:
        grid = page.get_by_role("grid")
        await expect(grid.locator("mark")).to_have_text("Part 250")
        await expect(grid.get_by_role("gridcell", selected=True)).to_have_text("Part 250")
        assert await grid.get_by_role("row").count() < 60
        await grid.focus()
        await page.keyboard.press("ArrowRight")
        await page.keyboard.press("ArrowDown")
        await expect(grid.get_by_role("gridcell", selected=True)).to_have_text("753")
        await expect(page.get_by_text("C252", exact=True)).to_be_visible()
        await page.keyboard.press("Control+End")
        await expect(grid.get_by_role("gridcell", selected=True)).to_have_text("900")
        assert await accessible(page) == []
        await page.get_by_role("button", name="Show as text").click()
        await expect(page.locator("mark")).to_have_text("Part 250")


async def test_of_a_large_pdf_only_what_is_looked_at_is_fetched(
    alice: tuple[str, str, str], chromium: Browser
) -> None:
    """Its first page is 3 MB, its last one stands at the end; a part that does not come is told, with a way on."""
    url, key, _ = alice
    padded = f"The first page.) Tj T* %{'x' * (3 * MB)}\n(It is long."
    document = stored(url, key, "long.pdf", paged_pdf([[padded], ["The page between."], ["The last page."]]))
    came: list[int] = []
    async with tab(chromium, url, key) as page:
        page.on("response", lambda each: "/content" in each.url and came.append(each.status))
        page.on("requestfailed", lambda each: "/content" in each.url and came.append(0))
        await page.goto(f"/documents/{document}?page=3")
        await expect(page.locator(".textLayer")).to_contain_text("The last page.")
        assert set(came) == {206}
        assert len(came) <= 3  # of 13 parts
        await page.route("**/content*", lambda route: route.abort())
        for _ in range(2):
            await page.get_by_role("button", name="Back", exact=True).click()
        await expect(page.get_by_role("alert")).to_contain_text("The server cannot be reached")
        await page.unroute("**/content*")
        await page.get_by_role("button", name="Try again").click()
        await expect(page.locator(".textLayer")).to_contain_text("The first page.")


@pytest.mark.usefixtures("crowded")
async def test_a_hundred_thousand_documents_are_listed_and_used(
    alice: tuple[str, str, str], chromium: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """From each interaction to the next paint it takes less than 200 ms; the best of three rounds counts, because what
    else the machine does makes it longer and never shorter.
    """
    url, key, _ = alice
    async with tab(chromium, url, key) as page:
        await page.add_init_script(_NOTE_INTERACTIONS)
        await page.goto("/documents?collection=crowd")
        table = page.get_by_role("table", name="Documents")
        await expect(page.get_by_text(f"of {DOCUMENTS:,} loaded")).to_be_visible()
        await loaded(page, 4_000)
        rounds = [await used(page)]
        while rounds[-1] >= 200 and len(rounds) < 3:
            rounds.append(await used(page))
        assert await table.get_by_role("row").count() < 80
    with capsys.disabled():
        print(f"\nslowest interaction with {DOCUMENTS:,} documents listed: {rounds} ms")
    assert min(rounds) < 200


async def loaded(page: Page, most: int) -> None:
    """Scroll to the end until so many rows are there."""
    await page.evaluate(
        """async most => {
            const table = document.querySelector('[role=table][aria-label=Documents]');
            while (Number(table.getAttribute('aria-rowcount')) <= most) {
                table.scrollTop = table.scrollHeight;
                await new Promise(done => requestAnimationFrame(done));
            }
        }""",
        most,
    )


async def used(page: Page) -> float:
    """Scroll, type, open a document and come back; returns how long the slowest interaction took, in ms."""
    await page.evaluate("window.slowest = 0")
    before = await page.evaluate("performance.interactionCount")
    table = page.get_by_role("table", name="Documents")
    await table.focus()
    for press in ("Home", "PageDown", "PageDown", "PageDown", "End", "PageUp"):
        await page.keyboard.press(press)
    await page.get_by_label("Exact name").fill("")
    await page.get_by_label("Exact name").type("crowd/99999")
    await page.get_by_label("Exact name").fill("")
    await page.get_by_role("button", name="Reload").click()
    await table.get_by_role("button").first.click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Document number")
    await page.go_back()
    await expect(table).to_be_visible()
    await page.wait_for_timeout(200)  # the last entries are told with the next frame
    assert await page.evaluate("performance.interactionCount") - before > 10
    return float(await page.evaluate("window.slowest"))


def bearer(key: str) -> dict[str, str]:
    """The header of a key."""
    return {"Authorization": f"Bearer {key}"}


def stored(url: str, key: str, name: str, content: bytes) -> str:
    """A file, once it is indexed; returns the document's id."""
    with httpx.Client(base_url=url, headers=bearer(key), timeout=60) as http:
        http.post("/v1/collections", json={"name": "sheets"})
        sent = http.post("/v1/collections/sheets/documents", files={"file": (name, content)})
        document = str(sent.json()["items"][0]["document_id"])
        with http.stream("GET", f"/v1/documents/{document}/events") as told:
            for _ in told.iter_lines():
                pass
    return document
