"""Values that are well-formed and meant to break something: they are refused, never 500."""

import json
from base64 import urlsafe_b64encode

import pytest
from api_scene import Client, problem

DEEP = '{"a":' * 252 + "1" + "}" * 252
_UPLOADS = "/v1/collections/handbook/documents"
_JSON = {"content-type": "application/json"}


@pytest.mark.parametrize("body", [
    f'{{"question": "x", "filter": {DEEP}}}', f'{{"question": "x", "collections": {"[" * 900 + "]" * 900}}}',
])  # fmt: skip
async def test_a_deep_question_is_refused(alice: Client, body: str) -> None:
    """Before anything looks at it."""
    for address in ("/v1/search", "/v1/answers"):
        told = problem(await alice.post(address, content=body, headers=_JSON), 400, "bad-request")
        assert "nested more than 32 levels" in str(told["detail"])


async def test_deep_metadata_is_refused_on_every_way_in(alice: Client) -> None:
    """Body, query, form and JSON lines; nothing is stored, and lists still answer."""
    body = f'{{"text": "x", "metadata": {DEEP}}}'
    lines = {"content-type": "application/x-ndjson"}
    refused = [
        await alice.post(_UPLOADS, content=body, headers=_JSON),
        await alice.post(_UPLOADS, content="x", params={"metadata": DEEP}),
        await alice.post(_UPLOADS, files={"file": ("a.txt", b"x")}, data={"metadata": DEEP}),
        await alice.post(f"{_UPLOADS}:batch", content=f"[{body}]", headers=_JSON),
        await alice.post(f"{_UPLOADS}:batch", content=body, headers=lines),
        await alice.get("/v1/documents", params={"metadata": DEEP}),
    ]
    for answer in refused:
        assert "nested more than 32 levels" in str(problem(answer, 400, "bad-request")["detail"])
    assert (await alice.get("/v1/documents")).json()["items"] == []


@pytest.mark.parametrize("address", [
    "/v1/documents?external_id=%00", "/v1/documents?collection=a%00b", "/v1/documents?metadata=%00",
    "/v1/jobs?cursor=%00", "/v1/jobs?%00=1", "/v1/collections/a%00b", "/v1/documents/%00",
])  # fmt: skip
async def test_nul_in_an_address_is_refused(alice: Client, address: str) -> None:
    """In its path and in its query."""
    assert "NUL" in str(problem(await alice.get(address), 400, "bad-request")["detail"])


@pytest.mark.parametrize("query", ["external_id", "title", "filename"])
async def test_nul_in_what_a_query_says_of_a_document_is_refused(alice: Client, query: str) -> None:
    """Nothing is stored."""
    problem(await alice.post(f"{_UPLOADS}?{query}=a%00b", content="x"), 400, "bad-request")
    assert (await alice.get("/v1/documents")).json()["items"] == []


@pytest.mark.parametrize("header", ["content-type", "idempotency-key", "x-other"])
async def test_nul_in_a_header_is_refused(alice: Client, header: str) -> None:
    """Whichever it is."""
    headers = {"content-type": "text/plain", header: "text/plain\0"}
    problem(await alice.post(_UPLOADS, content="x", headers=headers), 400, "bad-request")


async def test_nul_in_a_part_of_a_form_is_refused(alice: Client) -> None:
    """Its filename is cleaned; its type, and the fields, are not guessed at."""
    form = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a%s.txt"\r\nContent-Type: %s\r\n\r\nx\r\n'
    kind = {"content-type": "multipart/form-data; boundary=b"}
    for filename, media_type, status in (
        (b"", b"text/plain\0", 422), (b"", b"text/\0plain", 422), (b"\0", b"text/plain", 202),
    ):  # fmt: skip
        answer = await alice.post(
            _UPLOADS, content=form % (filename, media_type) + b"--b--\r\n", headers=kind
        )
        assert answer.status_code == status, answer.text
    field = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\na\0b\r\n--b--\r\n'
    problem(
        await alice.post(_UPLOADS, content=form % (b"", b"text/plain") + field, headers=kind), 422, "invalid"
    )


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
async def test_moments_beyond_the_calendar_are_refused(alice: Client, moment: str) -> None:
    """As the end of a key, and in a cursor."""
    told = problem(await alice.post("/v1/keys", json={"name": "x", "expires_at": moment}), 422, "invalid")
    assert "expires_at" in str(told["detail"])
    nobody = "00000000-0000-0000-0000-000000000000"
    cursor = urlsafe_b64encode(json.dumps([moment, nobody, nobody]).encode()).decode().rstrip("=")
    problem(await alice.get("/v1/documents", params={"cursor": cursor}), 400, "bad-request")
