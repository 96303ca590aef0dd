"""The log of events over HTTP: listed, shown, followed to the end, and nobody else's."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from api_scene import Client, MakeClient, events_of, problem, settled, upload, working
from httpx import AsyncClient

from knowlog.bootstrap import App
from knowlog.bus import CATALOGUE, INCOMING, append_events
from knowlog.database import Scope
from knowlog.kernel import new_id


async def listed(client: Client, **params: Any) -> list[dict[str, Any]]:
    """The events of one page."""
    answer = await client.get("/v1/events", params=params)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def happened(app: App, scope: Scope, version: int = 1) -> str:
    """Write one event of a document that nobody has; returns its id."""
    async with app.database.transaction(scope) as connection:
        data = {"version": version, "chunks": 0}
        return str((await append_events(connection, "document.indexed", [(new_id(), data)]))[0])


async def test_what_happens_to_a_document_is_listed(app: App, alice: Client, warranty: str) -> None:
    """Newest first: indexed, received; as CloudEvents with their data."""
    events = await listed(alice, subject=warranty)
    assert [each["type"] for each in events] == ["document.indexed", "document.received"]
    document = (await alice.get(f"/v1/documents/{warranty}")).json()
    indexed = events[0]
    assert indexed["specversion"] == "1.0"
    assert indexed["subject"] == warranty
    assert indexed["dataschema"] == "urn:knowlog:event:document.indexed:1"
    assert indexed["data"] == {"collection_id": document["collection_id"], "version": 1, "chunks": 1}
    assert (await alice.get(f"/v1/events/{indexed['id']}")).json() == indexed


async def test_what_fails_is_told_with_its_reason(app: App, alice: Client) -> None:
    """`document.failed` repeats what the document says."""
    files = {"file": ("broken.pdf", b"%PDF-1.4\nnothing of a PDF follows", "application/pdf")}
    item = (await alice.post("/v1/collections/handbook/documents", files=files)).json()["items"][0]
    async with working(app):
        document = await settled(alice, item["document_id"])
    (failed,) = await listed(alice, type="document.failed")
    assert failed["data"]["reason"] == document["reason"]
    assert failed["data"]["collection_id"] == document["collection_id"]


async def test_a_deletion_shows_no_storage_keys(alice: Client, warranty: str) -> None:
    """What is for our own workers stays with them."""
    collection = (await alice.get(f"/v1/documents/{warranty}")).json()["collection_id"]
    await alice.delete(f"/v1/documents/{warranty}")
    (deleted,) = await listed(alice, type="document.deleted")
    assert deleted["data"] == {"collection_id": collection}
    await alice.delete("/v1/collections/handbook")
    (gone,) = await listed(alice, type="collection.deleted")
    assert gone["data"] == {"collection_id": collection, "name": "handbook"}
    assert gone["subject"] == collection


@pytest.mark.parametrize("order", ["newest", "oldest"])
async def test_pages_follow_each_other_without_gap(
    app: App, alice: Client, tenant: Scope, order: str
) -> None:
    """Every event once, in order, whatever the size of the page."""
    written = [await happened(app, tenant, number) for number in range(1, 8)]
    found: list[str] = []
    cursor = None
    while True:
        params = {"order": order, "limit": 3, "type": "document.indexed"} | (
            {"cursor": cursor} if cursor else {}
        )
        page = (await alice.get("/v1/events", params=params)).json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == (written if order == "oldest" else written[::-1])


async def test_going_on_behind_a_cursor_shows_what_came_since(app: App, alice: Client, tenant: Scope) -> None:
    """Nothing is shown twice."""
    await happened(app, tenant)
    (last,) = await listed(alice, order="oldest")
    assert await listed(alice, order="oldest", since=last["cursor"]) == []
    fresh = await happened(app, tenant)
    assert [each["id"] for each in await listed(alice, order="oldest", since=last["cursor"])] == [fresh]


async def test_a_late_commit_is_not_skipped(app: App, alice: Client, tenant: Scope) -> None:
    """A transaction that began earlier and commits later: whoever reads oldest first waits for it."""
    async with app.database.transaction(tenant) as slow:
        data = {"version": 1, "chunks": 0}
        (late,) = await append_events(slow, "document.indexed", [(new_id(), data)])
        quick = await happened(app, tenant)
        assert await listed(alice, order="oldest") == []
        assert [each["id"] for each in await listed(alice)] == [quick]
    assert [each["id"] for each in await listed(alice, order="oldest")] == [str(late), quick]


async def test_other_tenants_transactions_hold_up_nobody(
    app: App, alice: Client, tenant: Scope, other_tenant: Scope, address: str
) -> None:
    """A stranger writes for long, and has reported something: list and stream go on within a second or so."""
    async with tail(address, alice) as events, app.database.transaction(other_tenant) as slow:
        await append_events(slow, "document.indexed", [(new_id(), {"version": 1, "chunks": 0})])
        await asyncio.sleep(0.2)
        written = await happened(app, tenant)
        async with asyncio.timeout(0.2):
            assert [each["id"] for each in await listed(alice, order="oldest")] == [written]
        got = await asyncio.wait_for(anext(events), 1.5)
        assert json.loads(got["data"])["id"] == written


async def test_nothing_shown_counts_what_others_do(
    app: App, alice: Client, charlie: Client, tenant: Scope, other_tenant: Scope
) -> None:
    """Cursors of two events tell nothing of how much a stranger wrote in between, nor which comes first."""
    for _ in range(16):
        await happened(app, tenant)
    cursors = [each["cursor"] for each in await listed(alice, order="oldest")]
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in cursors)
    assert cursors not in (sorted(cursors), sorted(cursors, reverse=True))
    begun = {each[:4] for each in cursors}
    assert len(begun) > 12
    assert cursors == [each["cursor"] for each in await listed(alice, order="oldest")]


async def test_a_cursor_of_another_tenant_is_refused(
    app: App, alice: Client, charlie: Client, tenant: Scope, other_tenant: Scope
) -> None:
    """As is one that was changed by a digit: nobody can walk through numbers."""
    await happened(app, tenant)
    await happened(app, other_tenant)
    (own,), (theirs,) = await listed(alice), await listed(charlie)
    changed = own["cursor"][:-1] + ("0" if own["cursor"][-1] != "0" else "1")
    for wrong in (theirs["cursor"], changed, "0" * 32):
        problem(await alice.get("/v1/events", params={"since": wrong}), 422, "invalid")
        problem(await alice.get("/v1/events/stream", headers={"Last-Event-ID": wrong}), 422, "invalid")


async def test_a_stranger_sees_nothing(alice: Client, bob: Client, charlie: Client, warranty: str) -> None:
    """A colleague who may read sees the events; another tenant's owner neither list, event nor subject."""
    first, *_ = await listed(bob)
    assert await listed(charlie) == []
    assert await listed(charlie, subject=warranty) == []
    problem(await charlie.get(f"/v1/events/{first['id']}"), 404, "not-found")


async def test_a_key_for_some_collections_sees_their_events_alone(
    app: App, alice: Client, tenant: Scope, make_client: MakeClient, warranty: str
) -> None:
    """Those of a deleted document too, since the event says where it was."""
    (await alice.post("/v1/collections", json={"name": "secret"})).raise_for_status()
    hidden = await alice.post("/v1/collections/secret/documents", json={"text": "text"})
    handbook = (await alice.get("/v1/collections/handbook")).json()["collection_id"]
    limited = await make_client(tenant, "reader", [UUID(handbook)])
    seen = {each["subject"] for each in await listed(limited)}
    assert seen == {warranty}
    other = hidden.json()["items"][0]["document_id"]
    (hidden_event,) = await listed(alice, subject=other)
    problem(await limited.get(f"/v1/events/{hidden_event['id']}"), 404, "not-found")
    await alice.delete(f"/v1/documents/{other}")
    await alice.delete(f"/v1/documents/{warranty}")
    assert [each["subject"] for each in await listed(limited, type="document.deleted")] == [warranty]


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"type": "document.exploded"}, 422, "invalid"),
        ({"since": "yesterday"}, 422, "invalid"),
        ({"since": "f" * 32}, 422, "invalid"),
        ({"order": "random"}, 422, "invalid"),
        ({"subject": "me"}, 422, "invalid"),
        ({"cursor": "AAAA"}, 400, "bad-request"),
        ({"cursor": "WyJhIl0"}, 422, "invalid"),
        ({"limit": 0}, 422, "invalid"),
    ],
)
async def test_nonsense_is_refused(alice: Client, params: dict[str, Any], status: int, code: str) -> None:
    """With a sentence, and without touching the log."""
    problem(await alice.get("/v1/events", params=params), status, code)


@asynccontextmanager
async def tail(address: str, client: Client, **options: Any) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """An open stream over a real socket; yields the fields of its events."""
    headers = {**client.headers, **options.pop("headers", {})}

    async def blocks(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
        fields: dict[str, str] = {}
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields.keys() == {"id"}:  # where the stream begins
                fields = {}
            elif fields:
                yield fields
                fields = {}

    async with (
        AsyncClient(timeout=20, trust_env=False, headers=headers) as http,
        http.stream("GET", f"{address}/v1/events/stream", params=options) as answer,
    ):
        assert answer.status_code == 200
        yield blocks(answer)


async def test_the_stream_shows_what_happens_from_now_on(
    app: App, alice: Client, tenant: Scope, address: str
) -> None:
    """Not what was before; each named by its type, with its cursor as id."""
    await happened(app, tenant)
    async with tail(address, alice) as events:
        await asyncio.sleep(0.2)
        written = [await happened(app, tenant), await happened(app, tenant)]
        got = [await asyncio.wait_for(anext(events), 60) for _ in written]
    assert [json.loads(each["data"])["id"] for each in got] == written
    assert got[0]["event"] == "document.indexed"
    assert got[0]["id"] == json.loads(got[0]["data"])["cursor"]


async def test_a_broken_stream_goes_on_where_it_was(
    app: App, alice: Client, tenant: Scope, address: str
) -> None:
    """Last-Event-ID goes before `since`; what happened in between is not lost."""
    first = await happened(app, tenant)
    async with tail(address, alice, since="beginning") as events:
        seen = await asyncio.wait_for(anext(events), 60)
    assert json.loads(seen["data"])["id"] == first
    between = await happened(app, tenant)
    async with tail(address, alice, since="beginning", headers={"Last-Event-ID": seen["id"]}) as events:
        assert json.loads((await asyncio.wait_for(anext(events), 60))["data"])["id"] == between
    answer = await alice.get("/v1/events/stream", headers={"Last-Event-ID": "7"})
    problem(answer, 422, "invalid")


async def test_the_stream_waits_for_a_late_commit(
    app: App, alice: Client, tenant: Scope, address: str
) -> None:
    """What was begun first and committed last is not passed over."""
    async with tail(address, alice) as events:
        await asyncio.sleep(0.2)
        async with app.database.transaction(tenant) as slow:
            data = {"version": 1, "chunks": 0}
            (late,) = await append_events(slow, "document.indexed", [(new_id(), data)])
            quick = await happened(app, tenant)
            await asyncio.sleep(0.3)
        got = [json.loads((await asyncio.wait_for(anext(events), 60))["data"])["id"] for _ in range(2)]
    assert got == [str(late), quick]


async def test_a_revoked_key_ends_the_stream_within_two_seconds(alice: Client) -> None:
    """With an error that says so."""
    made = (await alice.post("/v1/keys", json={"name": "x"})).json()
    headers = {"Authorization": f"Bearer {made['secret']}"}
    following = asyncio.create_task(alice.get("/v1/events/stream", headers=headers))
    await asyncio.sleep(0.3)
    await alice.delete(f"/v1/keys/{made['key']['key_id']}")
    begun, _, rest = (await asyncio.wait_for(following, 2)).text.partition("\n\n")
    assert re.fullmatch("id: [0-9a-f]{32}", begun)
    name, data = events_of(rest)[-1]
    assert (name, data["code"]) == ("error", "unauthenticated")


async def test_a_waiting_stream_holds_no_database_session(app: App, alice: Client, address: str) -> None:
    """Every connection of the pool is free, but for the moments in which it looks."""
    async with tail(address, alice):
        busy = []
        for _ in range(20):
            await asyncio.sleep(0.02)
            pool = app.database._pool
            busy.append(pool.get_size() - pool.get_idle_size())
    assert min(busy) == 0


async def test_the_papers_are_open_to_anybody(api: Any, app: App) -> None:
    """The AsyncAPI document and the schemas need no key; what is not there is 404."""
    transport = httpx.ASGITransport(app=api)
    async with AsyncClient(transport=transport, base_url="http://knowlog.test") as nobody:
        document = (await nobody.get("/v1/events/asyncapi.json")).json()
        assert document["asyncapi"] == "3.0.0"
        assert len(document["components"]["messages"]) == len(CATALOGUE) + len(INCOMING) + 1
        schema = await nobody.get("/v1/events/schemas/document.indexed/1")
        assert schema.headers["content-type"] == "application/schema+json"
        assert schema.json()["$id"] == "urn:knowlog:event:document.indexed:1"
        problem(await nobody.get("/v1/events/schemas/document.indexed/99"), 404, "not-found")
        problem(await nobody.get("/v1/events"), 401, "unauthenticated")
        problem(await nobody.get("/v1/events/stream"), 401, "unauthenticated")


async def test_the_stream_follows_an_upload_to_its_end(app: App, alice: Client, address: str) -> None:
    """received, then indexed: as a program would wait for it."""
    async with tail(address, alice, type=["document.indexed"]) as events:
        await asyncio.sleep(0.2)
        async with working(app):
            document_id = await upload(alice, "The warranty lasts 24 months.")
            got = json.loads((await asyncio.wait_for(anext(events), 60))["data"])
    assert (got["type"], got["subject"]) == ("document.indexed", document_id)


async def test_what_is_for_our_workers_alone_is_not_shown(app: App, alice: Client, tenant: Scope) -> None:
    """Neither listed nor found by its id nor named as a type."""
    async with app.database.transaction(tenant) as connection:
        data = {"endpoint_id": new_id(), "event_id": new_id(), "event_type": "document.indexed"}
        (inner,) = await append_events(connection, "delivery.requested", [(new_id(), data)])
    assert await listed(alice) == []
    problem(await alice.get(f"/v1/events/{inner}"), 404, "not-found")
    answer = problem(await alice.get("/v1/events", params={"type": "delivery.requested"}), 422, "invalid")
    assert "delivery" not in str(answer["detail"]).partition("Known are")[2]
