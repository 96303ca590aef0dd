"""/v1/keys: owner, colleague, stranger."""

from datetime import UTC, datetime, timedelta

import pytest
from api_scene import Client, MakeClient, client_of, nothing_can_be_written, problem, upload
from fastapi import FastAPI

from knowlog.database import Database, Scope


async def test_a_key_is_created_shown_once_and_works(api: FastAPI, alice: Client) -> None:
    """The secret is in the first answer only."""
    made = await alice.post("/v1/keys", json={"name": "intranet", "role": "reader"})
    assert made.status_code == 201
    async with client_of(api, made.json()["secret"]) as reader:
        assert (await reader.get("/v1/collections")).status_code == 200
    shown = await alice.get(made.headers["location"])
    assert shown.json()["name"] == "intranet"
    assert made.json()["secret"] not in shown.text + (await alice.get("/v1/keys")).text


async def test_a_revoked_key_opens_nothing_at_once(api: FastAPI, alice: Client) -> None:
    """Revoking holds from the next request on."""
    made = (await alice.post("/v1/keys", json={"name": "x"})).json()
    async with client_of(api, made["secret"]) as reader:
        assert (await reader.get("/v1/collections")).status_code == 200
        revoked = await alice.delete(f"/v1/keys/{made['key']['key_id']}")
        assert revoked.json()["revoked_at"] is not None
        problem(await reader.get("/v1/collections"), 401, "unauthenticated")


async def test_a_full_disk_does_not_keep_a_key_from_reading(
    database: Database, alice: Client, tenant: Scope
) -> None:
    """When it was last used is written down later."""
    async with nothing_can_be_written(database, tenant, "api_keys"):
        assert (await alice.get("/v1/collections")).status_code == 200
    assert (await alice.get("/v1/collections")).status_code == 200


async def test_a_full_disk_does_not_change_what_a_revoked_key_is_told(
    database: Database, api: FastAPI, alice: Client, tenant: Scope
) -> None:
    """It opens nothing, though that it was offered cannot be written."""
    made = (await alice.post("/v1/keys", json={"name": "old"})).json()
    await alice.delete(f"/v1/keys/{made['key']['key_id']}")
    async with client_of(api, made["secret"]) as reader, nothing_can_be_written(database, tenant, "api_keys"):
        problem(await reader.get("/v1/collections"), 401, "unauthenticated")


async def test_an_expired_key_opens_nothing(api: FastAPI, alice: Client) -> None:
    """A key ends when it said it would; one that has ended already is not made."""
    soon = datetime.now(UTC) + timedelta(milliseconds=400)
    made = (await alice.post("/v1/keys", json={"name": "x", "expires_at": soon.isoformat()})).json()
    async with client_of(api, made["secret"]) as reader:
        while datetime.now(UTC) < soon:
            await reader.get("/health/live")
        problem(await reader.get("/v1/collections"), 401, "unauthenticated")
    past = {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}
    problem(await alice.post("/v1/keys", json=past), 422, "invalid")


async def test_nobody_makes_a_key_above_themselves(
    make_client: MakeClient, tenant: Scope, alice: Client
) -> None:
    """An admin makes admins, not owners; and does not revoke the owner's key."""
    admin = await make_client(tenant, "admin")
    assert (await admin.post("/v1/keys", json={"name": "x", "role": "admin"})).status_code == 201
    problem(await admin.post("/v1/keys", json={"name": "x", "role": "owner"}), 403, "forbidden")
    owners = [key for key in (await alice.get("/v1/keys")).json()["items"] if key["role"] == "owner"]
    problem(await admin.delete(f"/v1/keys/{owners[0]['key_id']}"), 403, "forbidden")


@pytest.mark.parametrize("role", ["reader", "editor"])
async def test_a_colleague_without_the_role_sees_no_keys(
    make_client: MakeClient, tenant: Scope, role: str
) -> None:
    """Keys are the business of admins."""
    colleague = await make_client(tenant, role)
    problem(await colleague.get("/v1/keys"), 403, "forbidden")
    problem(await colleague.post("/v1/keys", json={"name": "x"}), 403, "forbidden")


async def test_a_stranger_sees_and_revokes_nothing(alice: Client, charlie: Client) -> None:
    """A key of another tenant is absent."""
    key_id = (await alice.get("/v1/keys")).json()["items"][0]["key_id"]
    problem(await charlie.get(f"/v1/keys/{key_id}"), 404, "not-found")
    problem(await charlie.delete(f"/v1/keys/{key_id}"), 404, "not-found")
    assert key_id not in (await charlie.get("/v1/keys")).text


async def test_a_limited_key_sees_its_collections_only(api: FastAPI, alice: Client) -> None:
    """Other collections look absent, and a key made by it has the same limits."""
    await alice.post("/v1/collections", json={"name": "secret"})
    made = await alice.post("/v1/keys", json={"name": "x", "role": "admin", "collections": ["handbook"]})
    async with client_of(api, made.json()["secret"]) as limited:
        names = [found["name"] for found in (await limited.get("/v1/collections")).json()["items"]]
        assert names == ["handbook"]
        problem(await limited.get("/v1/collections/secret"), 404, "not-found")
        problem(
            await limited.post("/v1/search", json={"question": "x", "collections": ["secret"]}),
            404,
            "not-found",
        )
        problem(await limited.post("/v1/collections", json={"name": "more"}), 403, "forbidden")
        problem(await limited.post("/v1/keys", json={"name": "wide"}), 403, "forbidden")
        assert len((await limited.get("/v1/keys")).json()["items"]) == 1


async def test_a_key_for_an_unknown_collection_is_refused(alice: Client) -> None:
    """Limits name what is there."""
    problem(await alice.post("/v1/keys", json={"name": "x", "collections": ["nowhere"]}), 404, "not-found")


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer ", "Basic YWxhZGRpbjpvcGVu", "Bearer kl_nonsense", f"Bearer kl_{'0' * 32}_{'a' * 43}",
     "Bearer " + "x" * 5000, "Bearer \u00e9"],
)  # fmt: skip
async def test_a_wrong_key_is_refused(api: FastAPI, sent: str) -> None:
    """Absent, malformed and unknown keys get 401 and the way to authenticate."""
    async with client_of(api, None) as nobody:
        headers = [(b"authorization", sent.encode("latin-1"))]
        answer = await nobody.get("/v1/collections", headers=headers)
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_pages_of_jobs_show_a_limited_key_its_own_only(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Neither the length of a page nor its cursor tells of jobs elsewhere."""
    open_id = (await alice.post("/v1/collections", json={"name": "open"})).json()["collection_id"]
    limited = await make_client(tenant, "reader", [open_id])
    for number in range(3):
        await upload(alice, f"secret {number}")
    assert (await limited.get("/v1/jobs")).json() == {"items": [], "next_cursor": None}
    assert (await limited.get("/v1/jobs", params={"limit": 1})).json() == {"items": [], "next_cursor": None}
    mine = await alice.post("/v1/collections/open/documents", json={"text": "open"})
    await upload(alice, "secret again")
    page = (await limited.get("/v1/jobs", params={"limit": 1})).json()
    assert [job["job_id"] for job in page["items"]] == [mine.json()["items"][0]["job_id"]]
    assert page["next_cursor"] is None


async def test_a_key_for_no_collection_is_refused(alice: Client) -> None:
    """It could open nothing; null is what stands for all."""
    told = problem(await alice.post("/v1/keys", json={"name": "x", "collections": []}), 422, "invalid")
    assert "collection" in str(told["detail"])


async def test_the_last_owners_key_is_not_revoked(alice: Client) -> None:
    """Nobody locks a tenant by mistake; when there is another owner's key, the first may go."""
    (own,) = [key for key in (await alice.get("/v1/keys")).json()["items"] if key["role"] == "owner"]
    problem(await alice.delete(f"/v1/keys/{own['key_id']}"), 409, "conflict")
    assert (await alice.post("/v1/keys", json={"name": "second", "role": "owner"})).status_code == 201
    assert (await alice.delete(f"/v1/keys/{own['key_id']}")).status_code == 200
