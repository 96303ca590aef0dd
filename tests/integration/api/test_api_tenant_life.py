"""Suspended, going on, deleted with a proof: what the operator does to a tenant, and what it notices."""

import asyncio
from uuid import UUID

import pytest
from api_scene import Client, events_of, problem, settled, upload, working

from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.tenants import SUSPENDED, create_tenant, delete_tenant, unfinished_receipts


def place(scope: Scope) -> str:
    """The address of a tenant."""
    return f"/v1/tenants/{scope.tenant_id}"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/collections"),
        ("GET", "/v1/documents"),
        ("POST", "/v1/search"),
        ("POST", "/v1/answers"),
        ("GET", "/v1/events/stream"),
        ("POST", "/v1/collections/handbook/documents"),
        ("DELETE", "/v1/collections/handbook"),
        ("GET", "/v1/audit"),
        ("GET", "/v1/export"),
    ],
)
async def test_every_call_of_a_suspended_tenant_is_refused_with_one_sentence(
    alice: Client, operator: Client, tenant: Scope, method: str, path: str
) -> None:
    """Reading, asking, changing: the same words."""
    assert (await operator.put(f"{place(tenant)}/suspension", json={})).status_code == 200
    refused = problem(await alice.request(method, path, json={"question": "?"}), 403, "forbidden")
    assert refused["detail"] == SUSPENDED


async def test_a_tenant_goes_on_where_it_stood(
    alice: Client, bob: Client, charlie: Client, operator: Client, tenant: Scope, warranty: str
) -> None:
    """Its documents answer again; another tenant has noticed nothing."""
    shown = (await operator.put(f"{place(tenant)}/suspension", json={"because": "unpaid"})).json()
    assert shown["suspended_because"] == "unpaid"
    problem(await bob.get(f"/v1/documents/{warranty}"), 403, "forbidden")
    assert (await charlie.get("/v1/collections")).status_code == 200
    assert (await operator.get(place(tenant))).json()["suspended_at"] is not None
    await operator.delete(f"{place(tenant)}/suspension")
    assert (await operator.get(place(tenant))).json()["suspended_at"] is None
    found = await alice.post("/v1/search", json={"question": "How long does the warranty last?"})
    assert [each["document_id"] for each in found.json()["passages"]] == [warranty]


async def test_an_open_stream_ends_when_the_tenant_is_suspended(
    alice: Client, operator: Client, tenant: Scope
) -> None:
    """Its last event says why."""
    document_id = await upload(alice, "never indexed", external_id="w")
    task = asyncio.create_task(alice.get(f"/v1/documents/{document_id}/events"))
    await asyncio.sleep(0.3)
    await operator.put(f"{place(tenant)}/suspension", json={})
    events = events_of((await asyncio.wait_for(task, 5)).text)
    assert events[-1][0] == "error"
    assert events[-1][1]["detail"] == SUSPENDED


async def test_workers_leave_the_jobs_of_a_suspended_tenant(
    app: App, alice: Client, charlie: Client, operator: Client, tenant: Scope
) -> None:
    """Others' are done meanwhile; its own when it goes on."""
    waiting = await upload(alice, "The probe is blue.", external_id="a")
    await operator.put(f"{place(tenant)}/suspension", json={})
    await charlie.post("/v1/collections", json={"name": "handbook"})
    other = await upload(charlie, "The probe is red.", external_id="c")
    async with working(app):
        assert (await settled(charlie, other))["state"] == "indexed"
        async with app.database.transaction(tenant) as connection:
            assert await connection.fetchval("select state from documents") == "received"
        await operator.delete(f"{place(tenant)}/suspension")
        assert (await settled(alice, waiting))["state"] == "indexed"


async def test_schedules_of_a_suspended_tenant_do_not_fire(
    app: App, alice: Client, operator: Client, tenant: Scope
) -> None:
    """Nor do they keep workers awake."""
    wanted = {
        "name": "s",
        "collection": "handbook",
        "task": "retention",
        "older_than_days": 9,
        "every_s": 60,
    }
    await alice.post("/v1/schedules", json=wanted)
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update schedules set next_at = now() - interval '1 hour'")
    await operator.put(f"{place(tenant)}/suspension", json={})
    async with app.database.system() as connection:
        due = await connection.fetch("select tenant_id from due_schedules(1000)")
        next_s = await connection.fetchval("select next_schedule_s()")
    assert tenant.tenant_id not in [row["tenant_id"] for row in due]
    assert next_s is None or next_s > -3000


async def test_suspending_is_the_operators_alone_and_recorded(
    alice: Client, operator: Client, tenant: Scope
) -> None:
    """An owner cannot; the tenant reads afterwards who did."""
    problem(await alice.put(f"{place(tenant)}/suspension", json={}), 401, "unauthenticated")
    await operator.put(f"{place(tenant)}/suspension", json={"because": "x"})
    await operator.delete(f"{place(tenant)}/suspension")
    found = (await alice.get("/v1/audit", params={"limit": 2})).json()["items"]
    assert [(each["action"], each["actor"]) for each in found] == [
        ("tenant.resumed", "operator"),
        ("tenant.suspended", "operator"),
    ]


async def test_an_unknown_tenant_cannot_be_suspended_or_deleted(operator: Client) -> None:
    """404, and nothing is recorded of it."""
    nobody = "/v1/tenants/00000000-0000-7000-8000-000000000000"
    problem(await operator.put(f"{nobody}/suspension", json={}), 404, "not-found")
    problem(await operator.delete(f"{nobody}/suspension"), 404, "not-found")
    problem(await operator.delete(nobody), 404, "not-found")
    problem(await operator.get(f"{nobody}/receipt"), 404, "not-found")
    problem(await operator.get(f"{nobody}/export"), 404, "not-found")


async def test_deleting_counts_what_was_removed_and_proves_that_nothing_is_left(
    app: App, alice: Client, charlie: Client, operator: Client, tenant: Scope, warranty: str
) -> None:
    """Table by table, and the original files; the receipt outlives the tenant, with the end of its audit log."""
    head = (await alice.get("/v1/audit/head")).json()
    receipt = (await operator.delete(place(tenant))).json()
    removed = receipt["rows_removed"]
    assert (removed["tenants"], removed["documents"], removed["chunks"], removed["vectors"]) == (1, 1, 1, 1)
    assert removed["audit_records"] == head["sequence"]
    assert receipt["audit_head"] == head
    assert (receipt["rows_left"], receipt["originals"]) == ({}, {"removed": 1, "left": 0})
    assert receipt["tables_searched"] >= 25
    kept = (await operator.get(f"{place(tenant)}/receipt")).json()
    assert kept == {**receipt, "rows_found_now": {}}
    assert [keys async for keys in app.blobs.keys(str(tenant.tenant_id))] == []
    assert (await charlie.get("/v1/audit")).json()["items"]


async def test_a_deletion_that_a_worker_stands_in_the_way_of_is_done_again(
    app: App, tenant: Scope, alice: Client
) -> None:
    """Each holds what the other wants: PostgreSQL refuses the deletion, which waited first, and nobody notices."""
    await alice.post("/v1/collections", json={"name": "press"})
    async with app.database.owner() as worker, worker.transaction():
        await worker.execute(
            "select 1 from knowlog.collections where tenant_id = $1 for update", tenant.tenant_id
        )
        deletion = asyncio.create_task(delete_tenant(app.database, tenant.tenant_id))
        await asyncio.sleep(0.3)
        await worker.execute(
            "select 1 from knowlog.tenants where tenant_id = $1 for update", tenant.tenant_id
        )
    assert (await deletion)["rows_removed"]["collections"] == 2


async def test_originals_that_a_killed_deletion_has_left_are_removed_later(app: App) -> None:
    """The receipt is unfinished until then."""
    made = await create_tenant(app.database, "killed")
    blob = f"{made.tenant_id}/{UUID(int=1)}/1-aaaaaaaa"
    await app.blobs.put({blob: b"left"})
    await delete_tenant(app.database, made.tenant_id)
    assert made.tenant_id in await unfinished_receipts(app.database)
    finished = await app.finish_receipt(made.tenant_id)
    assert finished is not None
    assert finished["originals"] == {"removed": 1, "left": 0}
    assert made.tenant_id not in await unfinished_receipts(app.database)
