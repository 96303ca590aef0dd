"""POST /v1/answers: whole, and as a stream."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx
import orjson
from api_scene import Client, events_of, problem, settled, upload, working
from fastapi import FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from knowlog.bootstrap import App

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


async def test_an_abstention_says_what_waits(app: App, alice: Client) -> None:
    """Nobody takes it that the documents do not answer while the one that does is being indexed."""
    document_id = await upload(alice, "The warranty of the probe lasts 30 months.")
    waits = (await alice.post("/v1/answers", json=ASKED)).json()
    assert waits["status"] == "not_in_documents"
    assert waits["notes"] == [
        "1 document is still being indexed and was not looked at. Ask again in a moment."
    ]
    async with working(app):
        await settled(alice, document_id)
    assert (await alice.post("/v1/answers", json=ASKED)).json()["notes"] == []


async def test_what_waits_elsewhere_is_not_told(alice: Client) -> None:
    """An abstention counts the documents of the collections that were asked, and no others."""
    await upload(alice, "The warranty of the probe lasts 30 months.")
    await alice.post("/v1/collections", json={"name": "besides"})
    asked = {**ASKED, "collections": ["besides"]}
    assert (await alice.post("/v1/answers", json=asked)).json()["notes"] == []


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


def pausing(api: FastAPI, meanwhile: Callable[[], Awaitable[None]]) -> ASGIApp:
    """The application, for a client that does something between the passages of an answer and the rest of it."""

    async def paused(scope: Scope, receive: Receive, send: Send) -> None:
        async def take(message: Message) -> None:
            await send(message)
            if b"event: passages" in message.get("body", b""):
                await meanwhile()

        await api(scope, receive, take)

    return paused


async def test_a_revoked_key_ends_a_streamed_answer(api: FastAPI, alice: Client, warranty: str) -> None:
    """Who takes the passages, and loses the key before the rest, is given an error and no statement."""
    made = (await alice.post("/v1/keys", json={"name": "x", "role": "reader"})).json()

    async def revoked() -> None:
        assert (await alice.delete(f"/v1/keys/{made['key']['key_id']}")).is_success
        await asyncio.sleep(1.1)  # a key that was looked up holds for a second

    headers = {"Authorization": f"Bearer {made['secret']}", **STREAM}
    transport = httpx.ASGITransport(app=pausing(api, revoked))
    async with Client(transport=transport, base_url="http://knowlog.test", timeout=30) as slow:
        events = events_of((await slow.post("/v1/answers", json=ASKED, headers=headers)).text)
    assert [name for name, _ in events] == ["passages", "error"]
    assert events[-1][1]["code"] == "unauthenticated"
