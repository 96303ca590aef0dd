"""POST /v1/collections/{collection}/documents: every way in, and everything that is refused there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest
from api_scene import Client, problem, settled, upload, working

from knowlog.bootstrap import App

PLACE = "/v1/collections/handbook/documents"


async def count(client: Client) -> int:
    """How many documents the handbook has."""
    return len((await client.get(PLACE)).json()["items"])


async def test_text_is_accepted_and_told_where_to_watch(alice: Client) -> None:
    """202, the place of the document, and the job."""
    answer = await alice.post(PLACE, json={"text": "Hello.", "external_id": "a/b", "title": "Greeting"})
    item = answer.json()["items"][0]
    assert answer.status_code == 202
    assert (item["external_id"], item["outcome"], item["state"]) == ("a/b", "created", "received")
    assert (await alice.get(answer.headers["location"])).json()["title"] == "Greeting"
    assert (await alice.get(f"/v1/jobs/{item['job_id']}")).json()["state"] == "waiting"


async def test_files_of_a_form_become_documents(alice: Client) -> None:
    """Several at once, each known by its name; metadata holds for all."""
    files = [("file", ("a.md", b"# A", "text/markdown")), ("file", ("b.txt", b"B", "text/plain"))]
    answer = await alice.post(PLACE, files=files, data={"metadata": '{"year": 2026}'})
    assert [item["external_id"] for item in answer.json()["items"]] == ["a.md", "b.txt"]
    shown = (await alice.get(PLACE, params={"metadata": '{"year": 2026}'})).json()["items"]
    assert [document["filename"] for document in shown] == ["a.md", "b.txt"]


async def test_the_body_can_be_the_document(alice: Client) -> None:
    """Raw bytes with their Content-Type; query parameters describe them."""
    described = {"external_id": "x", "title": "T", "metadata": '{"a": 1}', "filename": "x.md"}
    answer = await alice.post(
        PLACE, content=b"# Title", params=described, headers={"Content-Type": "text/markdown"}
    )
    document = (await alice.get(answer.headers["location"])).json()
    assert (document["title"], document["metadata"], document["media_type"]) == (
        "T",
        {"a": 1},
        "text/markdown",
    )


async def test_a_body_is_read_in_the_charset_that_it_names(alice: Client, app: App) -> None:
    """As each file of a form is."""
    headers = {"Content-Type": "text/plain; charset=koi8-r"}
    answer = await alice.post(PLACE, content="Девять осталось.".encode("koi8-r"), headers=headers)
    async with working(app):
        await settled(alice, answer.json()["items"][0]["document_id"])
    assert (await alice.get(f"{answer.headers['location']}/text")).json()["text"] == "Девять осталось."


@pytest.mark.parametrize(("media_type", "external_id", "title"), [
    ("text/plain", "policies/travel", "travel.txt"), ("text/plain", "travel.md", "travel.md"),
    ("text/plain", None, "text.txt"),
    ("text/markdown", "policies/travel.pdf", "travel pdf"), ("text/markdown", "policies/", "policies"),
    ("text/markdown", "..", "document"), ("text/markdown", None, "document"),
])  # fmt: skip
async def test_a_body_without_a_name_is_known_by_its_id(
    alice: Client, media_type: str, external_id: str | None, title: str
) -> None:
    """As a text in JSON is; a list of documents that are all named "text.txt" helps nobody."""
    described = {"external_id": external_id} if external_id else {}
    answer = await alice.post(PLACE, content=b"Nine.", params=described, headers={"Content-Type": media_type})
    assert (await alice.get(answer.headers["location"])).json()["title"] == title


LONG = "The parking garage on Main Street closes at ten in the evening, on Sundays at eight, and never on holidays."


@pytest.mark.parametrize(("kind", "text", "title"), [
    ("text/plain", "\n  Vacation is asked for by mail. \nParking is free.", "Vacation is asked for by mail."),
    ("text/plain", LONG, "The parking garage on Main Street closes at ten in the evening, on Sundays at …"),
    ("text/markdown", "Nine people came.", "Nine people came."), ("text/markdown", "Nine.\n\n# People", "People"),
    ("text/plain", "休" * 100, "休" * 80 + " …"), ("application/json", None, "Cats sleep."),
])  # fmt: skip
async def test_what_has_no_name_is_titled_by_how_it_begins(
    alice: Client, app: App, kind: str, text: str | None, title: str
) -> None:
    """A list of texts that are all called "text.txt" helps nobody, nor does such a citation."""
    content = orjson.dumps({"text": "Cats sleep.\nDogs bark."}) if text is None else text.encode()
    answer = await alice.post(PLACE, content=content, headers={"Content-Type": kind})
    async with working(app):
        document = await settled(alice, answer.json()["items"][0]["document_id"])
    assert (document["state"], document["title"]) == ("indexed", title)


async def test_the_same_bytes_change_nothing_other_bytes_make_a_version(alice: Client) -> None:
    """Identity is the external id."""
    first = await alice.post(PLACE, json={"text": "one", "external_id": "x"})
    again = await alice.post(PLACE, json={"text": "one", "external_id": "x"})
    other = await alice.post(PLACE, json={"text": "two", "external_id": "x"})
    assert [answer.status_code for answer in (first, again, other)] == [202, 200, 202]
    assert [answer.json()["items"][0]["outcome"] for answer in (first, again, other)] == [
        "created",
        "unchanged",
        "updated",
    ]
    assert await count(alice) == 1


async def test_a_text_without_a_name_is_known_by_its_content(alice: Client) -> None:
    """The same anonymous text twice is one document."""
    assert await upload(alice, "same") == await upload(alice, "same")
    assert await upload(alice, "other") != await upload(alice, "same")


async def test_a_batch_is_one_transaction(alice: Client) -> None:
    """JSON lines and JSON lists; each item has its outcome."""
    items = [{"text": f"text {n}", "external_id": str(n)} for n in range(50)]
    lines = b"\n".join(orjson.dumps(item) for item in items)
    answer = await alice.post(
        f"{PLACE}:batch", content=lines, headers={"Content-Type": "application/x-ndjson"}
    )
    assert answer.status_code == 202
    assert [item["external_id"] for item in answer.json()["items"]] == [str(n) for n in range(50)]
    again = await alice.post(f"{PLACE}:batch", json=items)
    assert (again.status_code, {item["outcome"] for item in again.json()["items"]}) == (200, {"unchanged"})


@pytest.mark.parametrize(
    ("content", "kind", "status", "code"),
    [
        (b"[]", "application/json", 422, "invalid"),
        (b"{}", "application/json", 422, "invalid"),
        (b"[1]", "application/json", 422, "invalid"),
        (b'[{"text": ""}]', "application/json", 422, "invalid"),
        (b'[{"text": "a"}, {"txt": "b"}]', "application/json", 422, "invalid"),
        (
            b'[{"text": "a", "external_id": "x"}, {"text": "b", "external_id": "x"}]',
            "application/json",
            422,
            "invalid",
        ),
        (b'[{"text": "a\\u0000"}]', "application/json", 422, "invalid"),
        (b'[{"text": "a", "metadata": {"x": "\\u0000"}}]', "application/json", 422, "invalid"),
        (b'[{"text": "\\ud800"}]', "application/json", 400, "bad-request"),
        (b'[{"text": "a", "metadata": {"x": NaN}}]', "application/json", 400, "bad-request"),
        (b'{"text": "a"}\n{"text"', "application/x-ndjson", 400, "bad-request"),
        (b"not json", "application/json", 400, "bad-request"),
        (b"a,b", "text/csv", 415, "unsupported-type"),
        (orjson.dumps([{"text": "a"}] * 1001), "application/json", 413, "too-large"),
    ],
)
async def test_a_bad_batch_changes_nothing(
    alice: Client, content: bytes, kind: str, status: int, code: str
) -> None:
    """All or none: one bad item refuses the batch, with its place in it."""
    problem(await alice.post(f"{PLACE}:batch", content=content, headers={"Content-Type": kind}), status, code)
    assert await count(alice) == 0


@pytest.mark.parametrize(
    ("content", "kind", "params", "status", "code"),
    [
        (b"", "text/plain", {}, 422, "invalid"),
        (b'{"text": ""}', "application/json", {}, 422, "invalid"),
        (b'{"text": "a", "url": "http://x"}', "application/json", {}, 422, "invalid"),
        (b'{"text": "a", "titel": "b"}', "application/json", {}, 422, "invalid"),
        (b'{"text": "a"', "application/json", {}, 400, "bad-request"),
        (b"[" * 100_000, "application/json", {}, 400, "bad-request"),
        (b"hello", "text/plain", {"metadata": "{"}, 422, "invalid"),
        (b"hello", "text/plain", {"metadata": "[1]"}, 422, "invalid"),
        (b"hello", "text/plain", {"title": "x" * 1001}, 422, "invalid"),
        (b"hello", "text/plain", {"external_id": "a\0b"}, 400, "bad-request"),
        (b"a=b", "application/x-www-form-urlencoded", {}, 415, "unsupported-type"),
        (b"no boundary", "multipart/form-data", {}, 400, "bad-request"),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", {}, 422, "invalid"),
        (
            b"MZ\x90\x00" + b"\x00" * 60,
            "application/octet-stream",
            {"filename": "a.exe"},
            415,
            "unsupported-type",
        ),
        (b"\x7fELF" + b"\x00" * 60, "text/plain", {}, 415, "unsupported-type"),
    ],
)
async def test_a_bad_upload_changes_nothing(
    alice: Client, content: bytes, kind: str, params: dict[str, str], status: int, code: str
) -> None:
    """One clear sentence, the right status, nothing stored."""
    answer = await alice.post(PLACE, content=content, params=params, headers={"Content-Type": kind})
    problem(answer, status, code)
    assert await count(alice) == 0


async def test_a_form_is_told_what_it_lacks(alice: Client) -> None:
    """No file, an unknown field, one id for two files."""
    problem(await alice.post(PLACE, files={"x": (None, "text")}), 422, "invalid")
    files = [("file", ("a.txt", b"a")), ("file", ("b.txt", b"b"))]
    problem(await alice.post(PLACE, files=files, data={"external_id": "x"}), 422, "invalid")
    problem(await alice.post(PLACE, files=files[:1], data={"titel": "x"}), 422, "invalid")
    problem(await alice.post(PLACE, files={"file": ("empty.txt", b"")}), 422, "invalid")
    assert await count(alice) == 0


async def test_a_misspelt_parameter_is_told(alice: Client) -> None:
    """It would be lost: a document that all may see, a list of everything."""
    for wrong in ("acess", "metdata"):
        told = problem(await alice.post(PLACE, content=b"hello", params={wrong: "{}"}), 422, "invalid")
        assert told["errors"] == [
            {"where": f"query.{wrong}", "problem": "is not known here; check its spelling"}
        ]
    problem(await alice.get("/v1/documents", params={"colection": "handbook"}), 422, "invalid")
    assert await count(alice) == 0


async def test_an_unknown_collection_is_told(alice: Client) -> None:
    """404, and nothing is stored."""
    answer = await alice.post("/v1/collections/nowhere/documents", json={"text": "a"})
    assert "nowhere" in str(problem(answer, 404, "not-found")["detail"])


async def test_a_reader_and_a_stranger_upload_nothing(alice: Client, bob: Client, charlie: Client) -> None:
    """Bob may only read; for Charlie the collection is absent."""
    problem(await bob.post(PLACE, json={"text": "a"}), 403, "forbidden")
    problem(await charlie.post(PLACE, json={"text": "a"}), 404, "not-found")
    assert await count(alice) == 0


@asynccontextmanager
async def a_page(app: App) -> AsyncIterator[str]:
    """The address of a page that knowlog may fetch as long as the context lasts."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"localhost:{listener.sockets[0].getsockname()[1]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(app.settings.api.__dict__, "fetch_private_hosts", frozenset({host}))
        async with listener:
            yield f"http://{host}/greeting.txt"


async def test_a_document_comes_in_by_url(app: App, alice: Client) -> None:
    """From a host that the operator allows; the URL is its identity."""
    async with a_page(app) as url:
        answer = await alice.post(PLACE, json={"url": url})
    problem(await alice.post(PLACE, json={"url": url}), 422, "invalid")
    document = (await alice.get(answer.headers["location"])).json()
    assert (document["external_id"], document["filename"], document["size_bytes"]) == (url, "greeting.txt", 5)


async def test_a_document_by_url_is_asked_for_once_with_a_key(app: App, alice: Client) -> None:
    """The same request gets its answer also when the page is gone by then; another is refused before it is fetched."""
    key = {"Idempotency-Key": "by url"}
    async with a_page(app) as url:
        first = await alice.post(PLACE, json={"url": url, "title": "Greeting"}, headers=key)
    again = await alice.post(PLACE, json={"url": url, "title": "Greeting"}, headers=key)
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (202, again.json())
    assert again.headers["idempotency-replayed"] == "true"
    other = problem(await alice.post(PLACE, json={"url": url, "title": "Other"}, headers=key), 422, "invalid")
    assert "Idempotency-Key" in str(other["detail"])


async def test_metadata_may_spell_the_escape_of_nul(alice: Client) -> None:
    r"""The six characters \u0000 are text like any other."""
    said = {"folder": r"C:\u0000"}
    sent = await alice.post(PLACE, json={"text": "a", "metadata": said})
    assert (await alice.get(sent.headers["location"])).json()["metadata"] == said


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "x"]
)
async def test_inner_addresses_are_not_fetched(alice: Client, url: str) -> None:
    """The server lends nobody its place in the network (more in tests/unit/edge/test_fetching.py)."""
    problem(await alice.post(PLACE, json={"url": url}), 422, "invalid")
    assert await count(alice) == 0


async def test_what_cannot_be_parsed_fails_with_a_reason_and_can_be_retried(app: App, alice: Client) -> None:
    """A broken file is accepted, ends as failed with a sentence, and can be tried again."""
    files = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
    document_id = (await alice.post(PLACE, files=files)).json()["items"][0]["document_id"]
    problem(await alice.post(f"/v1/documents/{document_id}:retry"), 409, "conflict")
    async with working(app):
        document = await settled(alice, document_id)
        assert document["state"] == "failed"
        assert str(document["reason"]).endswith(".")
        again = await alice.post(f"/v1/documents/{document_id}:retry")
        assert again.status_code == 202
        assert (await settled(alice, document_id))["state"] == "failed"
    failed = (await alice.get("/v1/documents", params={"state": "failed"})).json()["items"]
    assert [found["document_id"] for found in failed] == [document_id]


async def test_the_address_may_describe_the_one_file_of_a_form(alice: Client) -> None:
    """What it says is not passed over: it counts, or is refused."""
    one = [("file", ("a.md", b"# A", "text/markdown"))]
    answer = await alice.post(PLACE, files=one, params={"external_id": "gate", "title": "Gates"})
    assert answer.json()["items"][0]["external_id"] == "gate"
    two = [*one, ("file", ("b.md", b"# B", "text/markdown"))]
    problem(await alice.post(PLACE, files=two, params={"external_id": "gate"}), 422, "invalid")
    twice = await alice.post(PLACE, files=one, params={"title": "A"}, data={"title": "B"})
    problem(twice, 422, "invalid")
    in_json = await alice.post(PLACE, json={"text": "Hello."}, params={"external_id": "gate"})
    problem(in_json, 422, "invalid")


@pytest.mark.parametrize("headers", [{"Content-Type": "application/x-www-form-urlencoded"}, {}])
async def test_json_is_read_as_json_where_nothing_else_is_taken(
    alice: Client, headers: dict[str, str]
) -> None:
    """`curl -d` names the wrong type, and some clients none."""
    answer = await alice.post("/v1/search", content=b'{"question": "Hello?"}', headers=headers)
    assert answer.status_code == 200, answer.text
    broken = await alice.post("/v1/search", content=b"question=Hello", headers=headers)
    problem(broken, 400, "bad-request")


async def test_the_name_of_a_forms_file_is_read_as_forms_escape_it(alice: Client) -> None:
    """Clients write a quotation mark as %22; any other percent sign is the name's own."""
    files = [("file", ('it\'s "quoted" at 100%41.txt', b"Text.", "text/plain"))]
    item = (await alice.post(PLACE, files=files)).json()["items"][0]
    assert item["external_id"] == 'it\'s "quoted" at 100%41.txt'
