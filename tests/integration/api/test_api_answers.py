"""POST /v1/answers: whole, and as a stream."""

import orjson
from api_scene import Client, events_of, problem

ASKED = {"question": "How long does the warranty of the probe last?"}
STREAM = {"Accept": "text/event-stream"}


async def test_an_answer_quotes_what_stands_there(bob: Client, warranty: str) -> None:
    """Every citation is the exact text of its span."""
    answer = (await bob.post("/v1/answers", json=ASKED)).json()
    text = (await bob.get(f"/v1/documents/{warranty}/text")).json()["text"]
    assert answer["status"] in {"answered", "not_in_documents"}
    for statement in answer["statements"]:
        for citation in statement["citations"]:
            assert text[citation["start"] : citation["end"]] == citation["quote"]
            assert citation["link"].startswith(f"/v1/documents/{warranty}/text?start={citation['start']}&")


async def test_without_documents_the_answer_says_so(alice: Client) -> None:
    """An honest abstention, with nothing nearest."""
    answer = (await alice.post("/v1/answers", json=ASKED)).json()
    assert (answer["status"], answer["statements"], answer["nearest"]) == ("not_in_documents", [], [])


async def test_a_stream_ends_with_the_whole_answer(bob: Client, warranty: str) -> None:
    """passages, statements, done: and done is what the plain answer would have been."""
    streamed = await bob.post("/v1/answers", json=ASKED, headers=STREAM)
    plain = (await bob.post("/v1/answers", json=ASKED)).json()
    assert streamed.headers["content-type"].startswith("text/event-stream")
    events = events_of(streamed.text)
    names = [name for name, _ in events]
    assert (names[0], names[-1]) == ("passages", "done")
    assert set(names[1:-1]) <= {"statement"}
    assert {**events[-1][1], "took_ms": 0} == {**plain, "took_ms": 0}


async def test_a_refusal_is_no_stream(alice: Client, charlie: Client) -> None:
    """What can be refused at once is refused with its status."""
    problem(await alice.post("/v1/answers", json={"question": ""}, headers=STREAM), 422, "invalid")
    asked = {**ASKED, "collections": ["nowhere"]}
    problem(await charlie.post("/v1/answers", json=asked, headers=STREAM), 404, "not-found")


async def test_a_stranger_gets_no_quote(charlie: Client, warranty: str) -> None:
    """Not even as the nearest passage."""
    answer = (await charlie.post("/v1/answers", json=ASKED)).json()
    assert answer["status"] == "not_in_documents"
    assert warranty not in orjson.dumps(answer).decode()
