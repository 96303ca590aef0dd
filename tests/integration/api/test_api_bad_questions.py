"""Questions that cannot be asked, and language models that answer with something else: clear, bounded, nothing lost."""

from dataclasses import replace
from typing import Any

from api_scene import Client, client_of, problem

from knowlog.api import create_api
from knowlog.bootstrap import App
from language_model_server import Mood, serving

QUESTION = "How long does the warranty of the probe last?"


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"question": ""}, "question"),
    ({"question": " \n\t"}, "The question is empty"),
    ({"question": "x" * 100_000}, "4,000"),
    ({"question": "a\0b"}, "NUL"),
    ({"question": "a\x07b"}, "U+0007"),
    ({"history": ["x" * 100_000]}, "4,000"),
    ({"pattern": "telepathy"}, "pattern"),
    ({"pattern": "hyde"}, "language model"),
    ({"mode": "generated"}, "KNOWLOG_LLM_MODEL"),
)


async def test_what_cannot_be_asked_is_refused_in_a_sentence(alice: Client, warranty: str) -> None:
    """Short, whatever came; and the thread is as it was."""
    thread = (await alice.post("/v1/threads", json={})).json()["thread_id"]
    for changes, words in REFUSED:
        place = {} if "history" in changes else {"thread_id": thread}
        refused = await alice.post("/v1/answers", json={"question": QUESTION, **place, **changes})
        told = problem(refused, 422, "invalid")
        assert words in str(told)
        assert len(refused.content) < 2000
    assert (await alice.get(f"/v1/threads/{thread}")).json()["turn_count"] == 0


async def test_bytes_that_are_no_text_are_refused(alice: Client) -> None:
    """As a bad request."""
    headers = {"content-type": "application/json"}
    refused = await alice.post("/v1/answers", content=b'{"question": "\xff\xfe\x00"}', headers=headers)
    problem(refused, 400, "bad-request")


async def test_a_text_in_another_alphabet_is_told_where_it_is_none(alice: Client) -> None:
    """What a terminal in Latin-1 sends, as a question and as a document."""
    headers = {"content-type": "application/json"}
    for path, name in (("/v1/search", "question"), ("/v1/collections/handbook/documents", "text")):
        sent = f'{{"{name}": "café"}}'.encode("latin-1")
        refused = problem(await alice.post(path, content=sent, headers=headers), 400, "bad-request")
        assert "no UTF-8" in str(refused["detail"])
        assert str(sent.index(b"\xe9")) in str(refused["detail"])


async def test_json_that_is_not_called_so_is_told(alice: Client) -> None:
    """What it holds would be right."""
    headers = {"content-type": "text/plain"}
    sent = await alice.post("/v1/search", content=b'{"question": "cats"}', headers=headers)
    assert "Content-Type: application/json" in str(problem(sent, 422, "invalid")["detail"])
    sent = await alice.post("/v1/search", json="cats")
    assert "must be a JSON object" in str(problem(sent, 422, "invalid")["detail"])


async def test_an_address_of_another_port_is_told_which_may_be_called(alice: Client) -> None:
    """And who can allow it."""
    place = "/v1/collections/handbook/documents"
    sent = await alice.post(place, json={"url": "http://example.com:90/"})
    assert "The port 90 may not be called; 80 and 443 may." in str(problem(sent, 422, "invalid")["detail"])


MOODS: tuple[Mood, ...] = ("another", "no key", "busy", "endless", "half a stream", "echo", "well")


async def test_whatever_a_provider_sends_the_answer_is_given_and_stored(
    app: App, alice: Client, warranty: str
) -> None:
    """By quotations, in time; the thread has it, with what was left out. Well, it sends half a JSON object."""
    thread = (await alice.post("/v1/threads", json={})).json()["thread_id"]
    asked = {"question": QUESTION, "mode": "generated", "thread_id": thread}
    async with serving() as server:
        server.says = lambda _prompt: '{"statements": "all of them'
        provider = server.provider(timeout_s=0.5)
        api = create_api(replace(app, providers=(provider,)))
        async with client_of(api, alice.headers["authorization"].removeprefix("Bearer ")) as client:
            for server.mood in MOODS:
                answer = (await client.post("/v1/answers", json=asked)).json()
                assert (answer["rung"], answer["degraded"]) == ("extractive", ["llm"])
                assert "24 months" in answer["text"]
        await provider.close()
    stored = (await alice.get(f"/v1/threads/{thread}")).json()["turns"]
    assert [each["degraded"] for each in stored] == [["llm"]] * len(MOODS)
    assert {each["text"] for each in stored} == {answer["text"]}
