"""More questions than can be answered: who is refused, how, and what is left when it is over."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from api_scene import Client, client_of, problem, scope_of
from fastapi import FastAPI
from hint_scene import with_settings

from fake_models import fake_provider
from knowlog.api import answers
from knowlog.bootstrap import App
from knowlog.resilience import Turns
from knowlog.resilience.adaptive import WINDOW

ASKED = {"question": "How long does the warranty of the probe last?"}
AT_ONCE = 4


@pytest.fixture
def busy(app: App) -> FastAPI:
    """An application with four turns, for which nobody waits long."""
    return with_settings(app, questions_at_once=AT_ONCE, question_wait_s=0.05)


@pytest.fixture
async def clients(busy: FastAPI, alice: Client, charlie: Client) -> AsyncIterator[list[Client]]:
    """Alice, Charlie, and somebody with a key that opens nothing."""
    secrets = [each.headers["authorization"].removeprefix("Bearer ") for each in (alice, charlie)]
    made = [client_of(busy, secret) for secret in (*secrets, "kl_nobody")]
    yield made
    for each in made:
        await each.aclose()


async def test_without_a_turn_a_question_is_refused(
    busy: FastAPI, clients: list[Client], warranty: str
) -> None:
    """A wrong key is told nothing of it; other requests go on, and with a turn the question is answered."""
    alice, _, nobody = clients
    turns: Turns = busy.state.turns
    held = [await turns.take("somebody") for _ in range(AT_ONCE)]
    for _ in range(2):
        refused = await alice.post("/v1/search", json=ASKED)
        problem(refused, 503, "unavailable")
        assert refused.headers["retry-after"] == "1"
    assert (await alice.get("/v1/collections")).is_success
    assert turns.refused == 2
    held.pop().end()
    assert (await alice.post("/v1/answers", json=ASKED)).json()["status"] == "answered"
    problem(await nobody.post("/v1/search", json=ASKED), 401, "unauthenticated")
    for turn in held:
        turn.end()
    assert (turns.working, turns.waiting) == (0, 0)


async def test_one_tenants_flood_leaves_turns_to_others(
    busy: FastAPI, clients: list[Client], warranty: str
) -> None:
    """Alice asks sixty times at once; each question of Charlie's is answered, and nothing is left over."""
    alice, charlie, _ = clients
    for client in (alice, charlie):
        assert (await client.post("/v1/search", json=ASKED)).is_success  # now they are known
    busy.state.turns._wait_s = 30.0
    flood = [asyncio.create_task(alice.post("/v1/search", json=ASKED)) for _ in range(60)]
    await asyncio.sleep(0)
    theirs = [(await charlie.post("/v1/search", json=ASKED)).status_code for _ in range(5)]
    assert theirs == [200] * 5
    assert {each.status_code for each in await asyncio.gather(*flood)} <= {200, 429, 503}
    assert (busy.state.turns.working, busy.state.turns.waiting) == (0, 0)


@pytest.mark.parametrize(
    ("refused", "status"), [({"question": ""}, 422), ({**ASKED, "collections": ["nowhere"]}, 404)]
)
async def test_what_is_refused_says_nothing_of_what_an_answer_takes(
    busy: FastAPI, clients: list[Client], warranty: str, refused: dict[str, Any], status: int
) -> None:
    """Else whoever sends what is refused at once makes answers seem slow, and few of anybody are let in."""
    alice, *_ = clients
    for _ in range(WINDOW):
        problem(
            await alice.post("/v1/search", json=refused), status, "not-found" if status == 404 else "invalid"
        )
    assert busy.state.turns.limit.alone_s is None
    for _ in range(WINDOW):
        assert (await alice.post("/v1/search", json=ASKED)).is_success
    assert busy.state.turns.limit.alone_s is not None


async def test_an_answer_that_is_streamed_holds_its_turn_until_it_is_made(
    busy: FastAPI, clients: list[Client], warranty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However slowly it is read: what is made is what the machine bears."""
    alice, *_ = clients
    turns, working = busy.state.turns, []
    made = answers._made

    async def watched(*given: Any) -> Any:
        working.append((turns.working, *busy.state.crowd._under_way.values()))
        return await made(*given)

    monkeypatch.setattr(answers, "_made", watched)
    streamed = await alice.post("/v1/answers", json=ASKED, headers={"accept": "text/event-stream"})
    assert "event: done" in streamed.text
    assert working == [(1, 1)]
    assert (turns.working, turns.waiting) == (0, 0)


async def test_who_waits_for_a_language_model_is_in_nobodys_way(
    app: App, busy: FastAPI, alice: Client, warranty: str
) -> None:
    """It holds no turn, and does not count as one of those who ask too much."""
    seen = []

    def reply(_prompt: object) -> str:
        seen.append((api.state.turns.working, dict(api.state.crowd._under_way)))
        return "Nothing that is JSON."

    _, provider = fake_provider(reply)
    api = with_settings(replace(app, providers=(provider,)))
    async with client_of(api, alice.headers["authorization"].removeprefix("Bearer ")) as client:
        answer = await client.post("/v1/answers", json={**ASKED, "mode": "generated"})
    assert (answer.json()["rung"], answer.json()["status"]) == ("extractive", "answered")
    assert seen
    assert all(each == (0, {}) for each in seen)


@pytest.mark.parametrize("sent_whole", [True, False], ids=["waiting", "sending"])
async def test_who_goes_away_is_not_answered(
    busy: FastAPI, clients: list[Client], warranty: str, sent_whole: bool
) -> None:
    """While it waits for its turn, or before all of its question has come."""
    turns: Turns = busy.state.turns
    turns._wait_s = 30.0
    held = [await turns.take("somebody") for _ in range(AT_ONCE)] if sent_whole else []
    body = orjson.dumps(ASKED)
    came = [{"type": "http.request", "body": body, "more_body": not sent_whole}, {"type": "http.disconnect"}]
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0.01)
        return came.pop(0) if len(came) > 1 else came[0]

    async def send(message: Any) -> None:
        sent.append(message)

    taken = turns._begin
    begun: list[str] = []

    def begin(holder: str) -> None:
        begun.append(holder)
        taken(holder)

    turns._begin = begin  # type: ignore[method-assign]
    scope = scope_of(clients[0], "/v1/search", len(body) + (not sent_whole))
    async with asyncio.timeout(10):
        await busy(scope, receive, send)
    assert begun == []
    for turn in held:
        turn.end()
    assert (turns.working, turns.waiting) == (0, 0)
