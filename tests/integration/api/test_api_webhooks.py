"""Webhooks over HTTP: made by admins, secret once, within a key's limits, and nobody else's."""

import pytest
from api_scene import problem

WEBHOOK = {"url": "https://93.184.215.14/hook", "types": ["document.indexed"], "description": "intranet"}


@pytest.fixture
async def alice(make_client, tenant):
    return await make_client(tenant, "admin")


async def test_a_webhook_is_made_shown_changed_and_deleted(alice) -> None:
    """The secret is in the first answer alone."""
    made = await alice.post("/v1/webhooks", json=WEBHOOK)
    assert made.status_code == 201, made.text
    webhook, secret = made.json()["webhook"], made.json()["secret"]
    assert secret.startswith("whsec_")
    place = made.headers["location"]
    assert place == f"/v1/webhooks/{webhook['endpoint_id']}"
    shown = await alice.get(place)
    assert shown.json() == webhook
    listed = await alice.get("/v1/webhooks")
    assert listed.json()["items"] == [webhook]
    assert secret not in shown.text + listed.text
    changed = (await alice.patch(place, json={"types": ["*"], "state": "disabled"})).json()
    assert (changed["types"], changed["state"], changed["reason"]) == (
        ["*"], "disabled", "It was disabled by hand."
    )  # fmt: skip
    problem(await alice.post(f"{place}:test"), 409, "conflict")
    active = (await alice.patch(place, json={"state": "active"})).json()
    assert (active["state"], active["reason"]) == ("active", None)
    assert (await alice.delete(place)).status_code == 204
    problem(await alice.get(place), 404, "not-found")


async def test_a_repeated_request_makes_one_and_shows_no_secret(alice) -> None:
    """As with keys."""
    headers = {"Idempotency-Key": "once"}
    first = await alice.post("/v1/webhooks", json=WEBHOOK, headers=headers)
    second = await alice.post("/v1/webhooks", json=WEBHOOK, headers=headers)
    assert second.json() == {"webhook": first.json()["webhook"], "secret": None}


async def test_the_secret_changes_and_a_test_is_a_delivery(alice) -> None:
    """Rotation shows a new secret; a test waits to be delivered, and is listed."""
    made = (await alice.post("/v1/webhooks", json=WEBHOOK)).json()
    place = f"/v1/webhooks/{made['webhook']['endpoint_id']}"
    rotated = (await alice.post(f"{place}:rotate")).json()
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["old_secret_until"]
    begun = await alice.post(f"{place}:test")
    assert begun.status_code == 202
    assert (await alice.get(begun.headers["location"])).json() == begun.json()
    (delivery,) = (await alice.get(f"{place}/deliveries")).json()["items"]
    assert (delivery["event_type"], delivery["state"]) == ("webhook.tested", "waiting")
    problem(await alice.post(f"{begun.headers['location']}:replay"), 409, "conflict")
    assert (await alice.post(f"{place}:replay", json={"since": "2026-01-31T00:00:00Z"})).status_code == 202
    assert (await alice.delete(place)).status_code == 204
    job = (await alice.get(f"/v1/jobs/{delivery['delivery_id']}")).json()
    assert job["state"] == "cancelled"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"url": "http://localhost/hook"}, "public address"),
        ({"url": "http://169.254.169.254/latest"}, "public address"),
        ({"url": "http://[::1]/"}, "public address"),
        ({"url": "https://93.184.215.14:22/"}, "port 22"),
        ({"url": "file:///etc/passwd"}, "http"),
        ({"url": "https://user:word@93.184.215.14/"}, "user name"),
        ({"types": ["document.eaten"]}, "There is no event type"),
        ({"types": ["delivery.requested"]}, "There is no event type"),
        ({"types": []}, "gets nothing"),
        ({"collections": []}, "gets nothing"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(alice, change, said) -> None:
    """At once, and not at the first delivery."""
    refused = problem(await alice.post("/v1/webhooks", json=WEBHOOK | change), 422, "invalid")
    assert said in refused["detail"]


async def test_strangers_colleagues_and_limited_keys(make_client, tenant, other_tenant, alice) -> None:
    """Editors may not; another tenant finds nothing; a limited key makes and sees limited webhooks alone."""
    await alice.post("/v1/collections", json={"name": "handbook"})
    handbook = (await alice.get("/v1/collections/handbook")).json()["collection_id"]
    made = (await alice.post("/v1/webhooks", json=WEBHOOK)).json()["webhook"]
    place = f"/v1/webhooks/{made['endpoint_id']}"
    editor, charlie = await make_client(tenant, "editor"), await make_client(other_tenant, "owner")
    problem(await editor.get("/v1/webhooks"), 403, "forbidden")
    assert (await charlie.get("/v1/webhooks")).json()["items"] == []
    since = {"since": "2026-01-31T00:00:00Z"}
    for method, path, body in (
        ("GET", place, None), ("PATCH", place, {"state": "disabled"}), ("DELETE", place, None),
        ("POST", f"{place}:rotate", None), ("POST", f"{place}:test", None), ("POST", f"{place}:replay", since),
        ("GET", f"{place}/deliveries", None),
    ):  # fmt: skip
        problem(await charlie.request(method, path, json=body), 404, "not-found")
    limited = await make_client(tenant, "admin", [handbook])
    problem(await limited.get(place), 404, "not-found")
    problem(await limited.post("/v1/webhooks", json=WEBHOOK), 403, "forbidden")
    own = await limited.post("/v1/webhooks", json=WEBHOOK | {"collections": ["handbook"]})
    assert own.json()["webhook"]["collections"] == [handbook]
    assert [each["endpoint_id"] for each in (await limited.get("/v1/webhooks")).json()["items"]] == [
        own.json()["webhook"]["endpoint_id"]
    ]
    assert len((await alice.get("/v1/webhooks")).json()["items"]) == 2
