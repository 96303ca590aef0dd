"""Pages of what was found: of a PDF sent over HTTP, and of chunks stored before their pages were."""

from api_scene import Client, settled, working

from knowlog.bootstrap import App
from knowlog.database import Scope
from paged_pdf import page_texts, paged_pdf

SENTENCES = [
    f"Valve number {number} closes at {number * 7} bar and opens by itself below." for number in range(1, 61)
]
MANUAL = paged_pdf([[*SENTENCES[start : start + 5], "Pump manual"] for start in range(0, 60, 5)])
ASKED = {"question": "At how many bar does valve number 43 close?"}


async def manual(app: App, alice: Client) -> str:
    """Send the manual, wait until it is indexed."""
    files = {"file": ("manual.pdf", MANUAL, "application/pdf")}
    sent = await alice.post("/v1/collections/handbook/documents", files=files)
    document_id = str(sent.json()["items"][0]["document_id"])
    async with working(app):
        assert (await settled(alice, document_id))["state"] == "indexed"
    return document_id


def places(found: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Where they stand."""
    return [(each["start"], each["end"], each["page"], each["pages"]) for each in found]


async def test_pages_are_those_of_the_file(app: App, alice: Client) -> None:
    """Quotes and passages name the pages on which pdfium reads them."""
    await manual(app, alice)
    there = page_texts(MANUAL)
    passages = (await alice.post("/v1/search", json=ASKED)).json()["passages"]
    assert any(len(passage["pages"]) > 1 for passage in passages)
    for passage in passages:
        assert passage["page"] == passage["pages"][0]
        wanted = " ".join(there[page - 1] for page in passage["pages"])
        assert " ".join(passage["text"].split()) in wanted
    statements = (await alice.post("/v1/answers", json=ASKED)).json()["statements"]
    for citation in (each for statement in statements for each in statement["citations"]):
        assert citation["page"] == citation["pages"][0]
        assert citation["quote"] in " ".join(there[page - 1] for page in citation["pages"])


async def test_chunks_stored_before_know_their_pages_too(app: App, alice: Client, tenant: Scope) -> None:
    """They are read from the version's structure."""
    await manual(app, alice)
    before = (await alice.post("/v1/search", json=ASKED)).json()["passages"]
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update chunks set pages = null, page_starts = null where tenant_id = tenant()"
        )
    after = (await alice.post("/v1/search", json=ASKED)).json()["passages"]
    assert places(after) == places(before)
