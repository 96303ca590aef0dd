"""Values that are well-formed and meant to break something: they are refused, never 500."""

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
