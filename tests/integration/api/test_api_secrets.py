"""Secrets over HTTP: values go in and never out."""

import logging
from uuid import UUID

import pytest
from api_scene import Client, MakeClient, problem

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.tenants import read_secret

CANARY = "sk-canary-51b7-never-to-be-seen"


async def keep(client: Client, name: str = "openai.key", value: str = CANARY):
    return await client.put(f"/v1/secrets/{name}", json={"value": value})


async def test_a_secret_is_kept_and_never_shown(app: App, alice: Client, tenant: Scope) -> None:
    """Its room reads it; an answer holds its name and the last four characters."""
    kept = await keep(alice)
    listed = await alice.get("/v1/secrets")
    assert kept.status_code == 200
    assert listed.json()["items"] == [kept.json()]
    assert kept.json()["hint"] == CANARY[-4:]
    assert CANARY not in kept.text + listed.text
    async with app.database.transaction(tenant) as connection:
        assert await read_secret(connection, app.vault, "openai.key") == CANARY


async def test_a_reader_and_an_editor_see_no_secrets(
    alice: Client, bob: Client, make_client, tenant: Scope
) -> None:
    await keep(alice)
    for client in (bob, await make_client(tenant, "editor")):
        problem(await client.get("/v1/secrets"), 403, "forbidden")
        problem(await keep(client), 403, "forbidden")
        problem(await client.delete("/v1/secrets/openai.key"), 403, "forbidden")


async def test_a_stranger_finds_nothing_under_the_name(alice: Client, charlie: Client) -> None:
    """And removes nothing."""
    await keep(alice)
    assert (await charlie.get("/v1/secrets")).json()["items"] == []
    problem(await charlie.delete("/v1/secrets/openai.key"), 404, "not-found")
    assert len((await alice.get("/v1/secrets")).json()["items"]) == 1


async def test_a_key_limited_to_collections_has_no_hand_in_secrets(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """They are the whole tenant's."""
    collection = (await alice.get("/v1/collections")).json()["items"][0]["collection_id"]
    limited = await make_client(tenant, "admin", [UUID(collection)])
    problem(await keep(limited), 403, "forbidden")
    problem(await limited.get("/v1/secrets"), 403, "forbidden")
    problem(await limited.delete("/v1/secrets/openai.key"), 403, "forbidden")


async def test_a_removed_secret_is_gone(alice: Client) -> None:
    await keep(alice)
    assert (await alice.delete("/v1/secrets/openai.key")).status_code == 204
    problem(await alice.delete("/v1/secrets/openai.key"), 404, "not-found")


@pytest.mark.parametrize(
    "body",
    [{"value": CANARY * 1000}, {"value": [CANARY]}, {"value": {"a": CANARY}}, {"valeu": CANARY}, CANARY,
     {"value": CANARY, "more": 1}, {"value": f"{CANARY}\0"}],
)  # fmt: skip
async def test_a_refusal_does_not_repeat_the_value(alice: Client, body: object, caplog) -> None:
    """Neither in the answer nor in the log."""
    caplog.set_level(logging.DEBUG)
    refused = await alice.put("/v1/secrets/openai.key", json=body)
    problem(refused, 422, "invalid")
    assert CANARY not in refused.text
    assert CANARY not in "".join(
        str(each.__dict__) for each in caplog.records if each.name.startswith("knowlog")
    )


@pytest.mark.parametrize("name", ["A", "a%20b", "..", "a" * 101, "%00", "é"])
async def test_a_name_that_is_none_is_refused(alice: Client, name: str) -> None:
    assert (await keep(alice, name)).status_code in {400, 404, 405, 422}
    assert (await alice.get("/v1/secrets")).json()["items"] == []


async def test_rotation_is_the_operators(operator: Client, alice: Client) -> None:
    """And does nothing where all keys are current."""
    await keep(alice)
    done = await operator.post("/v1/secrets:rotate")
    assert done.status_code == 200, done.text
    assert done.json()["rewrapped"] == 0
    problem(await alice.post("/v1/secrets:rotate"), 401, "unauthenticated")
