"""/v1/documents: owner, colleague, stranger."""

import asyncio
import json
from uuid import uuid4

import pytest
from api_scene import Client, problem, settled, upload, working
from fastapi import FastAPI
from starlette.types import Message

from knowlog.bootstrap import App
from knowlog.database import Scope


async def test_a_document_is_shown_with_its_state(alice: Client, bob: Client, warranty: str) -> None:
    """Whoever may read sees all of it."""
    shown = await bob.get(f"/v1/documents/{warranty}")
    assert shown.json()["state"] == "indexed"
    assert shown.json()["metadata"] == {"year": 2026}
    assert shown.headers["etag"].startswith('"')


async def test_a_span_of_text_is_what_a_citation_points_to(bob: Client, warranty: str) -> None:
    """text[start:end], in code points."""
    whole = (await bob.get(f"/v1/documents/{warranty}/text")).json()
    part = (await bob.get(f"/v1/documents/{warranty}/text", params={"start": 5, "end": 20})).json()
    assert part["text"] == whole["text"][5:20]
    assert (part["start"], part["end"], part["length"]) == (5, 20, len(whole["text"]))


@pytest.mark.parametrize(
    "params",
    [
        {"start": -1},
        {"start": 5, "end": 2},
        {"end": 2**40},
        {"version": 0},
        {"start": "x"},
        {"version": 2**31},
    ],
)
async def test_a_span_that_is_none_is_refused(bob: Client, warranty: str, params: dict[str, object]) -> None:
    """One clear sentence."""
    problem(await bob.get(f"/v1/documents/{warranty}/text", params=params), 422, "invalid")


async def test_text_that_is_not_there_yet_is_404(alice: Client) -> None:
    """Before it is indexed, and for a version that never was."""
    document_id = await upload(alice, "new")
    problem(await alice.get(f"/v1/documents/{document_id}/text"), 404, "not-found")
    problem(await alice.get(f"/v1/documents/{document_id}/text", params={"version": 9}), 404, "not-found")


async def test_the_original_comes_back_as_an_attachment(alice: Client) -> None:
    """Byte for byte, under a safe name, never shown by a browser."""
    page = b"<script>alert(1)</script>"
    files = {"file": ('evil"\r\nx: y; \u00fc.html', page, "text/html")}
    made = (await alice.post("/v1/collections/handbook/documents", files=files)).json()["items"][0]
    original = await alice.get(f"/v1/documents/{made['document_id']}/content")
    assert original.content == page
    assert original.headers["content-type"] == "application/octet-stream"
    assert original.headers["content-disposition"].startswith("attachment; filename*=UTF-8''evil")
    assert original.headers["x-content-type-options"] == "nosniff"
    assert "x" not in original.headers


async def test_title_and_metadata_change_if_the_state_is_the_one_that_was_read(alice: Client) -> None:
    """If-Match with an old ETag is 412 and changes nothing."""
    document_id = await upload(alice, "text")
    place = f"/v1/documents/{document_id}"
    tag = (await alice.get(place)).headers["etag"]
    changed = await alice.patch(place, json={"title": "New", "metadata": {"a": 1}}, headers={"If-Match": tag})
    assert (changed.json()["title"], changed.json()["metadata"]) == ("New", {"a": 1})
    problem(
        await alice.patch(place, json={"title": "Late"}, headers={"If-Match": tag}),
        412,
        "precondition-failed",
    )
    assert (await alice.get(place)).json()["title"] == "New"
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    "change", [{"title": ""}, {"title": "x" * 1001}, {"metadata": {"a": "\0"}}, {"metadata": []},
               {"metadata": {"a": "x" * 20000}},
               {"state": "indexed"}]
)  # fmt: skip
async def test_a_bad_change_is_refused(alice: Client, change: dict[str, object]) -> None:
    """Nothing of it is kept."""
    document_id = await upload(alice, "text")
    problem(await alice.patch(f"/v1/documents/{document_id}", json=change), 422, "invalid")
    assert (await alice.get(f"/v1/documents/{document_id}")).json()["revision"] == 1


async def test_a_deleted_document_leaves_a_receipt_and_nothing_else(alice: Client, warranty: str) -> None:
    """The receipt counts, search does not find it, a second delete finds nothing."""
    asked = {"question": "warranty of the probe"}
    assert (await alice.post("/v1/search", json=asked)).json()["passages"]
    receipt = (await alice.delete(f"/v1/documents/{warranty}")).json()
    assert (receipt["document_id"], receipt["versions"]) == (warranty, 1)
    assert receipt["chunks"] >= 1
    assert (await alice.post("/v1/search", json=asked)).json()["passages"] == []
    problem(await alice.get(f"/v1/documents/{warranty}"), 404, "not-found")
    problem(await alice.delete(f"/v1/documents/{warranty}"), 404, "not-found")
    again = (await alice.get(f"/v1/documents/{warranty}/receipt")).json()
    assert list(again.items()) == list(receipt.items())  # in the same order, too


async def test_a_receipt_is_for_those_who_could_see_the_document(
    alice: Client, bob: Client, charlie: Client
) -> None:
    """Bob could; a stranger, and a key for another collection, are told that there is none."""
    document_id = await upload(alice, "secret")
    await alice.post("/v1/collections", json={"name": "other"})
    made = await alice.post("/v1/keys", json={"name": "other", "collections": ["other"]})
    place = f"/v1/documents/{document_id}/receipt"
    problem(await bob.get(place), 404, "not-found")
    await alice.delete(f"/v1/documents/{document_id}")
    assert (await bob.get(place)).json()["document_id"] == document_id
    problem(await charlie.get(place), 404, "not-found")
    other = {"Authorization": f"Bearer {made.json()['secret']}"}
    problem(await alice.get(place, headers=other), 404, "not-found")


async def test_a_reader_changes_nothing(alice: Client, bob: Client) -> None:
    """Bob may look."""
    document_id = await upload(alice, "text")
    problem(await bob.patch(f"/v1/documents/{document_id}", json={"title": "x"}), 403, "forbidden")
    problem(await bob.delete(f"/v1/documents/{document_id}"), 403, "forbidden")
    problem(await bob.post(f"/v1/documents/{document_id}:retry"), 403, "forbidden")


async def test_a_stranger_cannot_tell_it_from_one_that_never_was(charlie: Client, warranty: str) -> None:
    """Every call answers for Alice's document what it answers for none."""
    for method, end in (("GET", ""), ("GET", "/text"), ("GET", "/content"), ("GET", "/events"), ("DELETE", ""),
                        ("PATCH", ""), ("POST", ":retry")):  # fmt: skip
        body = {"json": {"title": "x"}} if method == "PATCH" else {}
        theirs = problem(
            await charlie.request(method, f"/v1/documents/{warranty}{end}", **body), 404, "not-found"
        )  # type: ignore[arg-type]
        nobodys = problem(
            await charlie.request(method, f"/v1/documents/{uuid4()}{end}", **body), 404, "not-found"
        )  # type: ignore[arg-type]
        assert theirs["detail"] == nobodys["detail"]


async def test_documents_are_listed_over_all_collections_page_by_page(alice: Client) -> None:
    """Each once, whatever the size of the page; filters narrow it."""
    await alice.post("/v1/collections", json={"name": "more"})
    wanted = {await upload(alice, f"text {n}") for n in range(5)}
    for n in range(3):
        answer = await alice.post(
            "/v1/collections/more/documents", json={"text": f"more {n}", "metadata": {"n": n}}
        )
        wanted.add(answer.json()["items"][0]["document_id"])
    seen: list[str] = []
    params: dict[str, object] = {"limit": 2}
    while True:
        page = (await alice.get("/v1/documents", params=params)).json()
        seen += [document["document_id"] for document in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert sorted(seen) == sorted(wanted)
    filtered = (
        await alice.get("/v1/documents", params={"collection": "more", "metadata": '{"n": 1}'})
    ).json()["items"]
    assert len(filtered) == 1


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"cursor": "W10"},
        {"limit": 0},
        {"limit": 1000},
        {"state": "lost"},
        {"metadata": "["},
        {"metadata": "3"},
    ],
)
async def test_a_bad_listing_is_refused(alice: Client, params: dict[str, object]) -> None:
    """A malformed cursor is 400, the rest 422."""
    status, code = (400, "bad-request") if "cursor" in params else (422, "invalid")
    problem(await alice.get("/v1/documents", params=params), status, code)


@pytest.mark.parametrize("document_id", ["x", "1", "00000000-0000-0000-0000-00000000000g", "%00", "..%2f.."])
async def test_what_is_no_id_is_refused(alice: Client, document_id: str) -> None:
    """Malformed ids are told so, or lead nowhere; none is an error of the server."""
    assert (await alice.get(f"/v1/documents/{document_id}")).status_code in {400, 404, 422}


async def test_metadata_that_changed_is_searched_at_once(
    alice: Client, warranty: str, app: App, tenant: Scope
) -> None:
    """A filter sees the new metadata without indexing again."""
    asked = {"question": "warranty of the probe", "filter": {"year": 2027}}
    assert (await alice.post("/v1/search", json=asked)).json()["passages"] == []
    await alice.patch(f"/v1/documents/{warranty}", json={"metadata": {"year": 2027}})
    assert (await alice.post("/v1/search", json=asked)).json()["passages"]


async def test_a_new_title_is_found(app: App, alice: Client, warranty: str) -> None:
    """By its words, which the text does not hold; the version stays, and the old title finds nothing."""
    place = f"/v1/documents/{warranty}"
    before = (await alice.get(place)).json()
    changed = await alice.patch(place, json={"title": "Zirconium appendix"})
    assert (changed.json()["state"], changed.json()["version"]) == ("received", before["version"])
    async with working(app):
        after = await settled(alice, warranty)
    assert (after["state"], after["version"], after["latest"]) == ("indexed", 1, 1)
    assert f'"{after["revision"]}.' in changed.headers["etag"]
    found = (await alice.post("/v1/search", json={"question": "zirconium", "explain": True})).json()
    assert "lexical" in found["passages"][0]["legs"]
    assert found["passages"][0]["title"] == "Zirconium appendix"


async def test_the_same_title_again_is_no_work(alice: Client, warranty: str) -> None:
    """Nor is metadata."""
    title = (await alice.get(f"/v1/documents/{warranty}")).json()["title"]
    change = {"title": title, "metadata": {"year": 2027}}
    assert (await alice.patch(f"/v1/documents/{warranty}", json=change)).json()["state"] == "indexed"


async def test_a_new_title_with_the_same_bytes_is_indexed(app: App, alice: Client, warranty: str) -> None:
    """An upload that differs by its title alone has a job, and no new version."""
    text = "# Warranty\n\nThe warranty of the probe lasts 24 months."
    body = {"text": text, "external_id": "w", "title": "Molybdenum"}
    item = (await alice.post("/v1/collections/handbook/documents", json=body)).json()["items"][0]
    assert (item["outcome"], item["job_id"] is None) == ("relabelled", False)
    async with working(app):
        assert (await settled(alice, warranty))["version"] == 1
    found = (await alice.post("/v1/search", json={"question": "molybdenum", "explain": True})).json()
    assert "lexical" in found["passages"][0]["legs"]


async def test_a_part_of_the_original_is_downloaded(alice: Client) -> None:
    """206 with the range, 416 behind the end; the length is told either way."""
    made = await alice.post("/v1/collections/handbook/documents", json={"text": "0123456789"})
    place = f"/v1/documents/{made.json()['items'][0]['document_id']}/content"
    whole = await alice.get(place)
    assert (whole.status_code, whole.headers["content-length"]) == (200, "10")
    assert whole.headers["accept-ranges"] == "bytes"
    part = await alice.get(place, headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"234", "bytes 2-4/10")
    problem(await alice.get(place, headers={"Range": "bytes=10-"}), 416, "range-not-satisfiable")


async def test_a_revoked_key_does_not_read_on(api: FastAPI, alice: Client) -> None:
    """Who takes an original slowly has what was on its way when the key was revoked, and no more."""
    made = (await alice.post("/v1/keys", json={"name": "slow"})).json()
    document_id = await upload(alice, "quagga " * 250_000)
    came: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request"} if not came else await asyncio.sleep(60, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        came.append(len(message.get("body", b"")))
        if sum(came) and not any(came[:-1]):
            await alice.delete(f"/v1/keys/{made['key']['key_id']}")
            await asyncio.sleep(1.1)

    headers = [(b"host", b"knowlog.test"), (b"authorization", f"Bearer {made['secret']}".encode())]
    path = f"/v1/documents/{document_id}/content"
    call = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
    version = {"http_version": "1.1", "scheme": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}}
    await api({**call, **version}, receive, send)
    assert 0 < sum(came) <= 512 * 1024


async def test_an_original_that_is_gone_is_told(app: App, alice: Client) -> None:
    """404 before the answer begins."""
    made = await alice.post("/v1/collections/handbook/documents", json={"text": "lost"})
    document = made.json()["items"][0]["document_id"]
    await app.blobs.delete([key async for page in app.blobs.keys("") for key in page if document in key])
    problem(await alice.get(f"/v1/documents/{document}/content"), 404, "not-found")


async def test_documents_are_listed_by_what_their_metadata_contain(alice: Client) -> None:
    """Nested objects and members of arrays too; a value is not an array that holds it."""
    held = {"tags": ["a", "b"], "where": {"city": "Oslo", "floor": -2}, "none": None, "on": True}
    await alice.post("/v1/collections/handbook/documents", json={"text": "x", "metadata": held})
    for wanted, count in (
        ({}, 1), ({"tags": ["b"]}, 1), ({"tags": "b"}, 0), ({"tags": ["c"]}, 0), ({"where": {"floor": -2}}, 1),
        ({"where": {"city": "Bonn"}}, 0), ({"none": None}, 1), ({"on": None}, 0), ({"on": True, "tags": []}, 1),
    ):  # fmt: skip
        found = await alice.get("/v1/documents", params={"metadata": json.dumps(wanted)})
        assert len(found.json()["items"]) == count, wanted


async def test_uploading_into_a_collection_that_is_being_deleted(alice: Client) -> None:
    """Every upload is taken or told that there is no such collection."""

    async def uploads(number: int) -> set[int]:
        text = {"text": f"quagga {number}"}
        return {(await alice.post("/v1/collections/tmp/documents", json=text)).status_code for _ in range(12)}

    async def deletions() -> set[int]:
        codes = set()
        for _ in range(10):
            await alice.post("/v1/collections", json={"name": "tmp"})
            await asyncio.sleep(0.03)
            codes.add((await alice.delete("/v1/collections/tmp")).status_code)
        return codes

    deleted, *answers = await asyncio.gather(deletions(), *(uploads(number) for number in range(8)))
    assert deleted == {200}
    assert set().union(*answers) <= {200, 202, 404}


async def test_a_document_is_a_text_or_a_url(alice: Client) -> None:
    """Both at once are refused as that, not as a name that is not known."""
    sent = {"text": "The warranty.", "url": "https://example.com/report.pdf"}
    answer = await alice.post("/v1/collections/handbook/documents", json=sent)
    assert "not by both" in str(problem(answer, 422, "invalid")["detail"])
