"""Sources and dead letters over HTTP: the operator makes sources, admins look after theirs, strangers see nothing."""

import asyncio
from uuid import UUID, uuid4

import orjson
import pytest
from api_scene import Client, MakeClient, problem

from knowlog.bootstrap import App
from knowlog.bus import Delivery, Message
from knowlog.database import Scope
from knowlog.kernel.errors import NotFound, TooLarge
from knowlog.sources import Inbox, Inlet, SourceLost, hold_source

Source = dict[str, object]


@pytest.fixture
async def source(operator: Client, alice: Client, tenant: Scope) -> Source:
    """A source of Alice's that no worker reads."""
    wanted = {"name": "shop", "kind": "redis", "topic": f"shop.{uuid4().hex}", "collection": "handbook"}
    made = await operator.post(f"/v1/tenants/{tenant.tenant_id}/sources", json=wanted)
    assert made.status_code == 201, made.text
    found: Source = made.json()
    return found


async def take(app: App, tenant: Scope, source: Source, *bodies: bytes) -> None:
    """Let the inbox take messages, as a worker does that reads the source."""
    inlet = await held(app, tenant, source)
    deliveries = [Delivery(Message("", f"{number}-0", body)) for number, body in enumerate(bodies, 1)]
    await app.inbox.take(inlet, deliveries, "me")


async def held(app: App, tenant: Scope, source: Source) -> Inlet:
    """The source as a worker knows it that may read it now."""
    inlet = Inlet(
        tenant.tenant_id, UUID(str(source["source_id"])), "shop", "redis", str(source["topic"]),
        UUID(str(source["collection_id"])), "cloudevents", {},
    )  # fmt: skip
    assert await hold_source(app.database, tenant, inlet.source_id, "me", 60)
    return inlet


def event(tenant: Scope, message_id: str, text: str, **data: object) -> bytes:
    return orjson.dumps({
        "specversion": "1.0", "id": message_id, "source": "urn:shop", "type": "document.submitted",
        "tenantid": str(tenant.tenant_id), "data": {"external_id": "a", "text": text, **data},
    })  # fmt: skip


async def test_the_operator_makes_lists_and_deletes_sources(
    operator: Client, alice: Client, tenant: Scope, source: Source
) -> None:
    """The tenant sees what was made; a topic and a name have one source."""
    listed = (await operator.get(f"/v1/tenants/{tenant.tenant_id}/sources")).json()
    assert listed["items"] == (await alice.get("/v1/sources")).json()["items"] == [source]
    assert source["state"] == "active"
    again = {"name": "other", "kind": "redis", "topic": source["topic"], "collection": "handbook"}
    place = f"/v1/tenants/{tenant.tenant_id}/sources"
    problem(await operator.post(place, json=again), 409, "conflict")
    problem(await operator.post(place, json={**again, "topic": "x", "name": "shop"}), 409, "conflict")
    problem(await operator.post(place, json={**again, "topic": "knowlog.work.documents"}), 422, "invalid")
    problem(await operator.post(place, json={**again, "topic": "x", "collection": "nope"}), 404, "not-found")
    problem(await operator.post(place, json={**again, "topic": "x", "mapping": {"id": "x"}}), 422, "invalid")
    mapped = {**again, "topic": "x", "format": "plain", "mapping": {"nope": "x"}}
    assert "no member 'nope'" in str(
        problem(await operator.post(place, json=mapped), 422, "invalid")["detail"]
    )
    unnamed = problem(
        await operator.post(place, json={**again, "kind": "kafka", "topic": "x"}), 409, "conflict"
    )
    assert "Set KNOWLOG_SOURCES_KAFKA_URL" in str(unnamed["detail"])
    problem(await operator.post(f"/v1/tenants/{uuid4()}/sources", json=again), 404, "not-found")
    assert (await operator.delete(f"{place}/{source['source_id']}")).status_code == 204
    assert (await alice.get("/v1/sources")).json()["items"] == []


async def test_a_tenant_makes_no_source(alice: Client, bob: Client, tenant: Scope) -> None:
    """Its owner neither; and a reader does not even see them."""
    wanted = {"name": "mine", "kind": "redis", "topic": "other.tenants", "collection": "handbook"}
    refused = await alice.post(f"/v1/tenants/{tenant.tenant_id}/sources", json=wanted)
    assert refused.status_code in (401, 403)
    problem(await bob.get("/v1/sources"), 403, "forbidden")
    problem(await bob.get("/v1/dead-letters"), 403, "forbidden")


async def test_an_admin_pauses_and_changes_a_source(alice: Client, source: Source) -> None:
    """What is paused is not active for workers; an unknown collection is refused."""
    place = f"/v1/sources/{source['source_id']}"
    assert (await alice.patch(place, json={"state": "paused"})).json()["state"] == "paused"
    await alice.post("/v1/collections", json={"name": "second"})
    changed = (await alice.patch(place, json={"state": "active", "collection": "second"})).json()
    assert changed["state"] == "active"
    assert changed["collection_id"] != source["collection_id"]
    problem(await alice.patch(place, json={"collection": "nope"}), 404, "not-found")
    problem(await alice.patch(place, json={"state": "off"}), 422, "invalid")


async def test_dead_letters_are_listed_shown_replayed_and_deleted(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """With their cause and body, in pages; replayed once; then they are gone when deleted."""
    await take(
        app, tenant, source, event(tenant, "1", "Good."), b"bad", event(tenant, "1", "Other."), b"\xff\xfe"
    )
    page = (await alice.get("/v1/dead-letters", params={"limit": 2})).json()
    rest = (await alice.get("/v1/dead-letters", params={"limit": 2, "cursor": page["next_cursor"]})).json()
    letters = {each["cause"]: each for each in page["items"] + rest["items"]}
    assert len(page["items"] + rest["items"]) == 3
    assert rest["next_cursor"] is None
    conflict = next(each for cause, each in letters.items() if "something else" in cause)
    shown = (await alice.get(f"/v1/dead-letters/{conflict['dead_letter_id']}")).json()
    assert shown["content"] == {"encoding": "utf-8", "body": event(tenant, "1", "Other.").decode()}
    answer = await alice.post(f"/v1/dead-letters/{conflict['dead_letter_id']}:replay")
    assert "something else" in str(problem(answer, 422, "invalid")["detail"])
    assert (await alice.delete(f"/v1/dead-letters/{conflict['dead_letter_id']}")).status_code == 204
    problem(await alice.get(f"/v1/dead-letters/{conflict['dead_letter_id']}"), 404, "not-found")
    own = (await alice.get("/v1/dead-letters", params={"source": str(source["source_id"])})).json()
    assert len(own["items"]) == 2
    assert (await alice.get("/v1/dead-letters", params={"replayed": "true"})).json()["items"] == []


async def test_dead_letters_that_came_together_keep_their_order(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """Whatever was wrong with each: they are replayed as they came, and the last about a document wins."""
    poison = [event(tenant, str(number), "x" * number, colour=7, title=5) for number in range(1, 9)]
    await take(
        app, tenant, source, event(tenant, "a", "Good."), *poison[:4], event(tenant, "a", "!"), *poison[4:]
    )
    listed = (await alice.get("/v1/dead-letters")).json()["items"]
    assert [each["message_id"] for each in reversed(listed)] == ["1", "2", "3", "4", "a", "5", "6", "7", "8"]


async def test_all_dead_letters_of_a_source_are_deleted_at_once(
    app: App, alice: Client, bob: Client, charlie: Client, tenant: Scope, source: Source
) -> None:
    """With the bytes of large ones; by an admin of the tenant alone; the source stays."""
    await take(app, tenant, source, b"bad", b"x" * 300_000)
    place = f"/v1/sources/{source['source_id']}/dead-letters"
    problem(await charlie.delete(place), 404, "not-found")
    problem(await bob.delete(place), 403, "forbidden")
    assert len((await alice.get("/v1/dead-letters")).json()["items"]) == 2
    assert (await alice.delete(place)).json() == {"deleted": 2}
    assert (await alice.get("/v1/dead-letters")).json()["items"] == []
    assert [key async for some in app.blobs.keys(str(tenant.tenant_id)) for key in some] == []
    assert (await alice.get(f"/v1/sources/{source['source_id']}")).json()["state"] == "active"


async def test_a_stranger_sees_neither_sources_nor_dead_letters(
    app: App, charlie: Client, tenant: Scope, source: Source, alice: Client
) -> None:
    """Absent and not yours are the same."""
    await take(app, tenant, source, b"bad")
    [letter] = (await alice.get("/v1/dead-letters")).json()["items"]
    assert (await charlie.get("/v1/sources")).json()["items"] == []
    assert (await charlie.get("/v1/dead-letters")).json()["items"] == []
    for method, place in (
        ("GET", f"/v1/sources/{source['source_id']}"), ("GET", f"/v1/dead-letters/{letter['dead_letter_id']}"),
        ("POST", f"/v1/dead-letters/{letter['dead_letter_id']}:replay"),
        ("DELETE", f"/v1/dead-letters/{letter['dead_letter_id']}"),
    ):  # fmt: skip
        problem(await charlie.request(method, place), 404, "not-found")
    patched = await charlie.patch(f"/v1/sources/{source['source_id']}", json={"state": "paused"})
    problem(patched, 404, "not-found")


async def test_a_key_with_limits_sees_the_sources_of_its_collections(
    app: App, alice: Client, make_client: MakeClient, tenant: Scope, source: Source
) -> None:
    """And their dead letters; those of others are absent."""
    await take(app, tenant, source, b"bad")
    second = (await alice.post("/v1/collections", json={"name": "second"})).json()["collection_id"]
    limited = await make_client(tenant, "admin", [UUID(second)])
    assert (await limited.get("/v1/sources")).json()["items"] == []
    assert (await limited.get("/v1/dead-letters")).json()["items"] == []
    allowed = await make_client(tenant, "admin", [UUID(str(source["collection_id"]))])
    assert len((await allowed.get("/v1/sources")).json()["items"]) == 1
    assert len((await allowed.get("/v1/dead-letters")).json()["items"]) == 1


async def test_large_dead_letters_lie_in_the_blob_store_until_they_are_deleted(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """The sweep of originals leaves them; deleting them removes the bytes."""
    from knowlog.ingestion import sweep_originals

    await take(app, tenant, source, b"x" * 300_000)
    await sweep_originals(app.database, app.blobs, older_than_s=0, prefix=str(tenant.tenant_id))
    [letter] = (await alice.get("/v1/dead-letters")).json()["items"]
    place = f"/v1/dead-letters/{letter['dead_letter_id']}"
    assert len((await alice.get(place)).json()["content"]["body"]) == 300_000
    assert (await alice.delete(place)).status_code == 204
    keys = [key async for some in app.blobs.keys(str(tenant.tenant_id)) for key in some]
    assert keys == []


async def test_a_reader_that_was_replaced_writes_nothing(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """As one that slept longer than its lease; nor does one whose source was paused meanwhile."""
    await take(app, tenant, source, event(tenant, "1", "Good."))
    inlet = Inlet(
        tenant.tenant_id, UUID(str(source["source_id"])), "shop", "redis", str(source["topic"]),
        UUID(str(source["collection_id"])), "cloudevents", {},
    )  # fmt: skip
    assert not await hold_source(app.database, tenant, inlet.source_id, "another", 60)
    late = [Delivery(Message("", "2-0", event(tenant, "2", "Late."))), Delivery(Message("", "3-0", b"bad"))]
    with pytest.raises(SourceLost):
        await app.inbox.take(inlet, late, "another")
    await alice.patch(f"/v1/sources/{source['source_id']}", json={"state": "paused"})
    with pytest.raises(SourceLost):
        await app.inbox.take(inlet, late, "me")
    assert (await alice.get("/v1/dead-letters")).json()["items"] == []
    found = (await alice.get(f"/v1/sources/{source['source_id']}")).json()
    assert (found["taken"], found["dead"]) == (1, 0)


async def test_what_was_taken_long_ago_is_forgotten(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """Then the same message is taken again; before that it changes nothing."""
    from knowlog.sources import forget_inbox

    message = event(tenant, "1", "Good.")
    await take(app, tenant, source, message)
    assert await forget_inbox(app.database, 30) == 0
    await take(app, tenant, source, message)
    found = (await alice.get(f"/v1/sources/{source['source_id']}")).json()
    assert (found["taken"], found["repeated"]) == (1, 1)
    async with app.database.transaction(tenant) as connection:
        await connection.execute(
            "update inbox set received_at = now() - interval '31 days' where tenant_id = tenant()"
        )
    assert await forget_inbox(app.database, 30) == 1
    await take(app, tenant, source, message)
    assert (await alice.get(f"/v1/sources/{source['source_id']}")).json()["taken"] == 2


async def test_a_replay_that_fetches_holds_nobody_up(
    app: App, alice: Client, tenant: Scope, source: Source
) -> None:
    """While a slow site answers no transaction is open: the dead letter can be deleted, and then nothing is taken."""
    body = orjson.loads(event(tenant, "1", "x"))
    body["data"] = {"external_id": "a", "url": "http://127.0.0.1/x"}
    await take(app, tenant, source, orjson.dumps(body))
    (letter,) = (await alice.get("/v1/dead-letters")).json()["items"]
    asked, answers = asyncio.Event(), asyncio.Event()

    async def slow(_url: str, _most: int | None) -> tuple[bytes, str, str | None]:
        asked.set()
        await answers.wait()
        return b"One.", "a.txt", "text/plain"

    inbox = Inbox(app.database, app.blobs, app.receiver, app.store, slow, app.settings.sources)
    replaying = asyncio.create_task(inbox.replay(tenant, UUID(letter["dead_letter_id"])))
    await asked.wait()
    async with asyncio.timeout(20):
        gone = await alice.delete(f"/v1/dead-letters/{letter['dead_letter_id']}")
    assert gone.status_code == 204
    answers.set()
    with pytest.raises(NotFound):
        await replaying
    assert (await alice.get("/v1/collections/handbook/documents")).json()["items"] == []


async def test_a_tenants_slow_sites_hold_up_no_other_tenant(
    app: App, tenant: Scope, other_tenant: Scope, source: Source
) -> None:
    """Alice's messages name a site that does not answer, more of them than a process fetches at a time."""
    asked: list[str] = []
    answers = asyncio.Event()

    async def fetch(url: str, _most: int | None) -> tuple[bytes, str, str | None]:
        asked.append(url)
        if "slow" in url:
            await answers.wait()
        return b"One.", "a.txt", "text/plain"

    inbox = Inbox(app.database, app.blobs, app.receiver, app.store, fetch, app.settings.sources)
    mine = Inlet(tenant.tenant_id, uuid4(), "a", "redis", "a", uuid4(), "cloudevents", {})
    theirs = Inlet(other_tenant.tenant_id, uuid4(), "b", "redis", "b", uuid4(), "cloudevents", {})
    slow = [asyncio.create_task(inbox._read(mine, named(tenant, n, "http://slow.test/"))) for n in range(100)]
    async with asyncio.timeout(20):
        await asyncio.gather(
            *(inbox._read(theirs, named(other_tenant, n, "http://quick.test/")) for n in range(50))
        )
    assert asked.count("http://quick.test/") == 50
    assert not any(each.done() for each in slow)
    answers.set()
    await asyncio.gather(*slow)


async def test_large_documents_by_url_are_in_memory_one_at_a_time(
    app: App, tenant: Scope, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes before one is stored before it is fetched, in the order of the messages; a batch is no 10 GB."""
    small, large = b"One.", b"Two." * 100
    monkeypatch.setattr("knowlog.sources.inbox._SMALL_BYTES", 100)
    whole: list[str] = []

    async def fetch(url: str, most: int | None) -> tuple[bytes, str, str | None]:
        content = large if "large" in url else small
        if most is not None and len(content) > most:
            raise TooLarge("too large")
        whole.append(url.rpartition("/")[2])
        return content, "a.txt", "text/plain"

    inbox = Inbox(app.database, app.blobs, app.receiver, app.store, fetch, app.settings.sources)
    inlet = await held(app, tenant, source)
    places = ["small", "small", "large", "small", "large", "large"]
    left = [named(tenant, 900 + n, f"http://x.test/{place}", f"u{n}") for n, place in enumerate(places)]
    parts = []
    while left:
        done = await inbox.take(inlet, left, "me")
        parts.append((done.taken, done.messages))
        left = left[done.messages :]
    assert parts == [(2, 2), (1, 1), (1, 1), (1, 1), (1, 1)]
    assert whole.count("large") == 3


def named(tenant: Scope, number: int, url: str, external_id: str = "a") -> Delivery:
    """A message that names a URL."""
    body = orjson.loads(event(tenant, str(number), "x"))
    body["data"] = {"external_id": external_id, "url": url}
    return Delivery(Message("", f"{number}-0", orjson.dumps(body)))
