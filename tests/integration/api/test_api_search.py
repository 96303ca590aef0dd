"""POST /v1/search: owner, colleague, stranger."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from api_scene import Client, problem

ASKED = {"question": "How long does the warranty of the probe last?"}


async def test_a_passage_is_found_where_it_stands(bob: Client, warranty: str) -> None:
    """The link of a passage reads exactly its text."""
    found = (await bob.post("/v1/search", json=ASKED)).json()
    passage = found["passages"][0]
    assert passage["document_id"] == warranty
    link = urlsplit(passage["link"])
    span = await bob.get(link.path, params=parse_qsl(link.query))
    assert span.json()["text"] == passage["text"]
    assert "legs" not in passage
    assert found["degraded"] == []


async def test_an_explanation_shows_each_leg(bob: Client, warranty: str) -> None:
    """Rank and score of the lexical and the dense leg."""
    passage = (await bob.post("/v1/search", json={**ASKED, "explain": True})).json()["passages"][0]
    assert passage["legs"]["lexical"]["rank"] == 1


async def test_a_pattern_is_chosen_by_the_call_or_by_the_profile(
    bob: Client, alice: Client, warranty: str
) -> None:
    """An explanation tells what it did and spent, and the figures of the server count it."""
    plain = (await bob.post("/v1/search", json=ASKED)).json()
    assert (plain["pattern"], "steps" in plain) == ("hybrid", False)
    asked = {**ASKED, "pattern": "feedback", "explain": True}
    found = (await bob.post("/v1/search", json=asked)).json()
    assert (found["pattern"], found["steps"][0]["what"], found["cost"]["calls"]) == (
        "feedback",
        "looked again",
        0,
    )
    profile = {"retrieval": {"pattern": "feedback"}}
    await alice.post("/v1/collections", json={"name": "fed", "profile": profile})
    answer = (await bob.post("/v1/answers", json={**ASKED, "collections": ["fed"]})).json()
    assert answer["pattern"] == "feedback"


async def test_a_filter_and_collections_narrow_it(alice: Client, warranty: str) -> None:
    """What does not match the metadata, or is elsewhere, is not found."""
    await alice.post("/v1/collections", json={"name": "empty"})
    for narrowed, hits in (
        ({"filter": {"year": 2026}}, 1),
        ({"filter": {"year": {"gte": 2027}}}, 0),
        ({"collections": ["handbook"]}, 1),
        ({"collections": ["empty"]}, 0),
    ):
        found = (await alice.post("/v1/search", json={**ASKED, **narrowed})).json()
        assert len(found["passages"]) == hits, narrowed


async def test_a_stranger_finds_nothing(charlie: Client, warranty: str) -> None:
    """Neither by question nor by the collection's name."""
    assert (await charlie.post("/v1/search", json=ASKED)).json()["passages"] == []
    problem(await charlie.post("/v1/search", json={**ASKED, "collections": ["handbook"]}), 404, "not-found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"question": ""},
        {"question": "   "},
        {"question": "x" * 4001},
        {"question": "a\0b"},
        {"question": 7},
        {"question": None},
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"collections": []},
        {"collections": "handbook"},
        {"collections": ["a\0"]},
        {"filter": []},
        {"filter": {"year": {}}},
        {"filter": {"year": {"regex": ".*"}}},
        {"filter": {"a\0": 1}},
        {"filter": {"": 1}},
        {"filter": {"x": {"gt": [1]}}},
        {"explain": "perhaps"},
        {"pattern": "magic"},
        {"pattern": ""},
        {"unknown": 1},
    ],
)
async def test_a_search_that_cannot_be_is_refused(alice: Client, wrong: dict[str, object]) -> None:
    """One clear sentence that names the member."""
    problem(await alice.post("/v1/search", json={**ASKED, **wrong}), 422, "invalid")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nul", b'{"question": NaN}', b'{"question": "\\ud800"}', b"\xff"]
)
async def test_malformed_json_is_told(alice: Client, body: bytes) -> None:
    """400, with the place; an empty body lacks the question."""
    answer = await alice.post("/v1/search", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (422 if not body else 400)
    problem(answer, answer.status_code, "invalid" if not body else "bad-request")
