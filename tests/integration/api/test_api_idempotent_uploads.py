"""What makes two uploads with one Idempotency-Key different requests: everything that is said of a document."""

import json

import pytest
from api_scene import Client, problem

PLACE = "/v1/collections/handbook/documents"
ONCE = {"Idempotency-Key": "k"}
SAID = {"external_id": "a", "title": "A", "metadata": {"year": 2026}}
OTHERWISE = [{"external_id": "b"}, {"title": "B"}, {"metadata": {"year": 2027}}]


def as_text(client: Client, said: dict[str, object]):
    """A text in JSON."""
    return client.post(PLACE, json={"text": "once", **said}, headers=ONCE)


def as_batch(client: Client, said: dict[str, object]):
    """One text among several."""
    texts = [{"text": "first"}, {"text": "once", **said}]
    return client.post(f"{PLACE}:batch", json=texts, headers=ONCE)


def as_bytes(client: Client, said: dict[str, object]):
    """The bytes themselves, described in the address."""
    params = {**said, "metadata": json.dumps(said["metadata"])}
    headers = {**ONCE, "Content-Type": "text/plain"}
    return client.post(PLACE, content=b"once", params=params, headers=headers)


@pytest.mark.parametrize("other", OTHERWISE, ids=["external id", "title", "metadata"])
@pytest.mark.parametrize("send", [as_text, as_batch, as_bytes])
async def test_what_is_said_of_it_is_part_of_what_is_asked(alice: Client, send, other) -> None:
    """Repeated it is the same; with another external id, title or metadata the key is refused and nothing changes."""
    first = await send(alice, SAID)
    assert first.status_code == 202
    assert (await send(alice, SAID)).headers["idempotency-replayed"] == "true"
    problem(await send(alice, {**SAID, **other}), 422, "invalid")
    kept = (await alice.get(PLACE)).json()["items"]
    assert [(each["title"], each["metadata"]) for each in kept if each["external_id"] == "a"] == [
        ("A", {"year": 2026})
    ]
    assert "b" not in {each["external_id"] for each in kept}
