"""/v1/jobs, /v1/schedules and /v1/queues: what is done in the background, seen and steered."""

import pytest
from api_scene import Client, MakeClient, problem, settled, upload, working

from knowlog.bootstrap import App
from knowlog.cli.doctor.database import queue_depth
from knowlog.database import Database, Scope

BROKEN = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
NIGHTLY = {"name": "nightly", "collection": "handbook", "task": "refresh", "cron": "0 3 * * *"}


@pytest.fixture(autouse=True)
async def _alone(database: Database) -> None:
    """Other tests' leftovers are out of the way."""
    async with database.owner() as owner:
        await owner.execute(
            "set role knowlog_definer; delete from knowlog.events where state in ('waiting', 'running')"
        )


async def job_of(client: Client, **more: object) -> str:
    answer = await client.post("/v1/collections/handbook/documents", json={"text": "zebra", **more})
    return str(answer.json()["items"][0]["job_id"])


async def dead_job(app: App, client: Client) -> str:
    """A job that has failed for good."""
    item = (await client.post("/v1/collections/handbook/documents", files=BROKEN)).json()["items"][0]
    async with working(app):
        await settled(client, item["document_id"])
    return str(item["job_id"])


async def test_a_job_is_cancelled_by_editors(alice: Client, bob: Client, charlie: Client) -> None:
    """The reason names the key and its role; a reader may not, a stranger sees nothing, twice is a conflict."""
    job = await job_of(alice)
    problem(await bob.post(f"/v1/jobs/{job}:cancel"), 403, "forbidden")
    problem(await charlie.post(f"/v1/jobs/{job}:cancel"), 404, "not-found")
    done = (await alice.post(f"/v1/jobs/{job}:cancel")).json()
    assert (done["state"], done["queue"], done["attempts"]) == ("cancelled", "documents", 0)
    assert done["reason"].startswith("Cancelled by 'owner' (owner), ")
    document = (await alice.get(f"/v1/documents/{done['document_id']}")).json()
    assert (document["state"], document["reason"]) == ("failed", done["reason"])
    problem(await alice.post(f"/v1/jobs/{job}:cancel"), 409, "conflict")
    assert "worker" not in done


async def test_jobs_are_filtered(app: App, alice: Client) -> None:
    """By state, kind, document, collection; oldest first if wanted; an unknown kind is told."""
    dead, job = await dead_job(app, alice), await job_of(alice)

    async def found(**params: str) -> list[str]:
        return [each["job_id"] for each in (await alice.get("/v1/jobs", params=params)).json()["items"]]

    document = (await alice.get(f"/v1/jobs/{job}")).json()["document_id"]
    assert await found() == [job, dead]
    assert await found(order="oldest") == [dead, job]
    assert await found(state="waiting") == await found(document_id=document) == [job]
    assert await found(kind="document.received", collection="handbook") == [job, dead]
    assert await found(kind="refresh.requested") == []
    await alice.post(f"/v1/jobs/{job}:cancel")
    assert await found(state="cancelled") == [job]
    problem(await alice.get("/v1/jobs", params={"kind": "x"}), 422, "invalid")
    told = problem(await alice.get("/v1/jobs", params={"state": "x"}), 422, "invalid")["detail"]
    assert told == "state must be one of waiting, running, done, failed, cancelled or dead."
    problem(await alice.get("/v1/jobs", params={"collection": "nowhere"}), 404, "not-found")


async def told_by_doctor(database: Database) -> int:
    async with database.owner() as owner:
        return (await queue_depth(owner))["failed"]


async def test_dead_jobs_are_retried_together(
    app: App, alice: Client, bob: Client, database: Database
) -> None:
    """All of a kind or collection; one that was asked for anew is dead no more, also when it fails again."""
    dead = await dead_job(app, alice)
    problem(await bob.post("/v1/jobs:retry", json={}), 403, "forbidden")
    assert (await alice.post("/v1/jobs:retry", json={"kind": "refresh.requested"})).json() == {"retried": 0}
    problem(await alice.post("/v1/jobs:retry", json={"colection": "x"}), 422, "invalid")
    assert "({})" in problem(await alice.post("/v1/jobs:retry"), 422, "invalid")["detail"]
    assert (await alice.post("/v1/jobs:retry", json={"collection": "handbook"})).json() == {"retried": 1}
    again = (await alice.get(f"/v1/jobs/{dead}")).json()
    assert (again["state"], again["attempts"], again["reason"]) == ("waiting", 0, None)
    async with working(app):
        await settled(alice, again["document_id"])
    shown = (await alice.get(f"/v1/jobs/{dead}")).json()
    assert shown["state"] == "failed"
    assert shown["took_ms"] >= 0
    assert [each["job_id"] for each in (await bob.get("/v1/jobs?state=dead")).json()["items"]] == [dead]
    failed = await told_by_doctor(database)
    await alice.post(f"/v1/documents/{again['document_id']}:retry")
    assert (await bob.get("/v1/jobs?state=dead")).json()["items"] == []
    assert await told_by_doctor(database) == failed - 1


async def test_a_limited_key_steers_its_collections_jobs_only(
    alice: Client, make_client: MakeClient, tenant: Scope
) -> None:
    """Others look absent."""
    made = (await alice.post("/v1/collections", json={"name": "other"})).json()
    limited = await make_client(tenant, "admin", [made["collection_id"]])
    job = await job_of(alice)
    problem(await limited.post(f"/v1/jobs/{job}:cancel"), 404, "not-found")
    problem(await limited.post("/v1/schedules", json=NIGHTLY), 404, "not-found")
    await alice.post("/v1/schedules", json=NIGHTLY)
    assert (await limited.get("/v1/schedules")).json()["items"] == []
    problem(await limited.get("/v1/schedules/nightly"), 404, "not-found")
    own = await limited.post("/v1/schedules", json=NIGHTLY | {"name": "mine", "collection": "other"})
    ran = await limited.post("/v1/schedules/mine/runs")
    assert (own.status_code, ran.status_code) == (201, 202)
    assert (await limited.get(ran.headers["location"])).json()["kind"] == "refresh.requested"


async def test_schedules_are_an_admins(alice: Client, bob: Client, charlie: Client) -> None:
    """Created, listed, switched off, run and deleted; nobody else's."""
    problem(await bob.post("/v1/schedules", json=NIGHTLY), 403, "forbidden")
    made = await alice.post("/v1/schedules", json=NIGHTLY | {"timezone": "Europe/Berlin"})
    assert made.status_code == 201, made.text
    assert (await alice.get(made.headers["location"])).json() == made.json()
    problem(await alice.post("/v1/schedules", json=NIGHTLY), 409, "conflict")
    assert (await alice.patch("/v1/schedules/nightly", json={"enabled": False})).json()["enabled"] is False
    job = (await alice.post("/v1/schedules/nightly/runs")).json()
    assert (job["kind"], job["queue"], job["state"]) == ("refresh.requested", "refresh", "waiting")
    problem(await alice.post("/v1/schedules/nightly/runs"), 409, "conflict")
    problem(await charlie.get("/v1/schedules/nightly"), 404, "not-found")
    assert (await alice.delete("/v1/schedules/nightly")).status_code == 204
    assert (await alice.get("/v1/schedules")).json()["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"cron": None}, {"every_s": 60}, {"cron": "99 * * * *"}, {"timezone": "Nowhere"}, {"task": "document.received"},
        {"task": "retention"}, {"older_than_days": 3}, {"cron": None, "every_s": 1}, {"name": ""}, {"name": "a\nb"},
        {"cron": "0 3 30 2 *"}, {"name": "a/b"},
    ],
)  # fmt: skip
async def test_a_schedule_that_cannot_be_is_told(alice: Client, wrong: dict[str, object]) -> None:
    """In a sentence."""
    problem(await alice.post("/v1/schedules", json=NIGHTLY | wrong), 422, "invalid")


async def test_the_operator_sees_queues_and_sets_weights(
    alice: Client, operator: Client, tenant: Scope
) -> None:
    """By tenant and queue; a tenant's key does not."""
    await job_of(alice)
    await alice.post("/v1/schedules", json=NIGHTLY)
    await alice.post("/v1/schedules/nightly/runs")
    problem(await alice.get("/v1/queues"), 401, "unauthenticated")
    changed = await operator.patch(f"/v1/tenants/{tenant.tenant_id}", json={"weight": 7})
    assert changed.json()["weight"] == 7
    rows = [each for each in (await operator.get("/v1/queues")).json()["items"]
            if each["tenant_id"] == str(tenant.tenant_id)]  # fmt: skip
    seen = {
        each["queue"]: (each["weight"], each["waiting"], each["running"], each["failed"]) for each in rows
    }
    assert seen == {"documents": (7, 1, 0, 0), "refresh": (7, 1, 0, 0)}
    problem(await operator.patch(f"/v1/tenants/{tenant.tenant_id}", json={"weight": 0}), 422, "invalid")
    nobody = "/v1/tenants/00000000-0000-7000-8000-000000000000"
    problem(await operator.patch(nobody, json={"weight": 2}), 404, "not-found")


async def test_a_cancelled_upload_is_indexed_after_all(app: App, alice: Client) -> None:
    """Retry takes it back."""
    job = await job_of(alice, external_id="z")
    await alice.post(f"/v1/jobs/{job}:cancel")
    document = (await alice.post(f"/v1/jobs/{job}:retry")).json()["document_id"]
    async with working(app):
        assert (await settled(alice, document))["state"] == "indexed"
    other = await upload(alice, "another")
    assert other != document


async def test_jobs_of_webhooks_and_schedules_are_for_admins(
    alice: Client, bob: Client, tenant: Scope, make_client: MakeClient
) -> None:
    """Readers and editors neither see nor change them, one by one or all together."""
    hook = {"url": "https://93.184.215.14/hook", "types": ["document.indexed"]}
    webhook = (await alice.post("/v1/webhooks", json=hook)).json()["webhook"]["endpoint_id"]
    await alice.post(f"/v1/webhooks/{webhook}:test")
    schedule = (await alice.post("/v1/schedules", json=NIGHTLY)).json()["schedule_id"]
    await alice.post(f"/v1/schedules/{schedule}/runs")
    own = {each["kind"]: each["job_id"] for each in (await alice.get("/v1/jobs")).json()["items"]}
    assert set(own) == {"delivery.requested", "refresh.requested"}
    editor, admin = await make_client(tenant, "editor"), await make_client(tenant, "admin")
    for job in own.values():
        for client in (bob, editor):
            assert (await client.get("/v1/jobs")).json()["items"] == []
            problem(await client.get(f"/v1/jobs/{job}"), 404, "not-found")
            problem(await client.get(f"/v1/jobs/{job}/events"), 404, "not-found")
        problem(await editor.post(f"/v1/jobs/{job}:cancel"), 404, "not-found")
        problem(await editor.post(f"/v1/jobs/{job}:retry"), 404, "not-found")
        assert (await admin.post(f"/v1/jobs/{job}:cancel")).status_code == 200
        assert (await admin.post(f"/v1/jobs/{job}:retry")).status_code == 202
    logged = (await alice.get("/v1/events")).json()["items"]
    hidden = {each["type"]: each["id"] for each in logged}
    assert {"webhook.tested", "refresh.requested"} <= set(hidden)
    for client in (bob, editor):
        assert (
            await client.get("/v1/events", params={"type": ["webhook.tested", "refresh.requested"]})
        ).json()["items"] == []
        problem(await client.get(f"/v1/events/{hidden['webhook.tested']}"), 404, "not-found")
    await alice.delete(f"/v1/webhooks/{webhook}")


async def test_dead_jobs_of_admins_are_not_retried_by_editors(
    alice: Client, tenant: Scope, make_client: MakeClient, database: Database
) -> None:
    """The editor retries none of them, the owner all."""
    schedule = (await alice.post("/v1/schedules", json=NIGHTLY)).json()["schedule_id"]
    await alice.post(f"/v1/schedules/{schedule}/runs")
    async with database.transaction(tenant) as connection:
        await connection.execute("update events set state = 'failed' where type = 'refresh.requested'")
    editor = await make_client(tenant, "editor")
    assert (await editor.post("/v1/jobs:retry", json={})).json() == {"retried": 0}
    assert (await alice.post("/v1/jobs:retry", json={})).json() == {"retried": 1}
