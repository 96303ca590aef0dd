"""More questions than can be answered: who is refused, how, and what is left when it is over."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from api_scene import Client, client_of, problem
from fastapi import FastAPI
from hint_scene import with_settings

from knowlog.bootstrap import App
from knowlog.resilience import Turns

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
