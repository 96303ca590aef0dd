"""Messages of users' brokers become documents, each once; what does not fit is kept with its cause."""

import asyncio
import base64
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest
from sources_scene import MakeScene, Scene, until

from at_work import all_at_work
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.kernel import now
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.sources import NewSource, create_source, update_source


async def taken(scene: Scene, count: int) -> None:
    """Wait until so many messages had their effect."""

    async def enough() -> bool:
        return (await scene.now()).taken >= count

    await until(enough)


async def dead(scene: Scene, count: int) -> None:
    async def enough() -> bool:
        return len(await scene.dead()) >= count

    await until(enough)


async def indexed(scene: Scene, count: int) -> None:
    async def enough() -> bool:
        async with scene.app.database.transaction(scene.scope) as connection:
            found = await connection.fetchval(
                "select count(*) from documents where tenant_id = tenant() and state = 'indexed'"
            )
        return bool(found >= count)

    await until(enough)


async def test_a_message_becomes_a_document_that_is_found(app: App, scene: Scene) -> None:
    """From the bare client to the index: text, a file in base64, a new version, and away again."""
    async with all_at_work(app):
        await scene.submit("1", "w", "The warranty of the probe lasts 24 months.")
        page = b"<html><body><h1>Manual</h1><p>Hold the probe upright.</p></body></html>"
        content = base64.b64encode(page).decode()
        await scene.send(
            scene.event("2", external_id="m.html", content_base64=content, metadata={"year": 2026})
        )
        await indexed(scene, 2)
        async with app.database.transaction(scene.scope) as connection:
            found = await connection.fetch("select text from chunks where tenant_id = tenant()")
        texts = " ".join(row["text"] for row in found)
        assert "24 months" in texts
        assert "Hold the probe upright" in texts
        await scene.submit("3", "w", "The warranty of the probe lasts 36 months.")
        await scene.send(scene.event("4", "document.withdrawn", external_id="m.html"), "m.html")
        await taken(scene, 4)
        assert await scene.texts() == {"w": "The warranty of the probe lasts 36 months."}
    state = await scene.now()
    assert (state.taken, state.repeated, state.dead, state.trouble) == (4, 0, 0, None)
    assert state.last_message_at is not None


async def test_a_message_that_comes_again_changes_nothing(app: App, scene: Scene) -> None:
    """The same id and content, also with members in another order; the same id with other content is a dead letter."""
    async with all_at_work(app):
        await scene.submit("1", "a", "One.")
        await taken(scene, 1)
        message = scene.event("1", external_id="a", text="One.")
        await scene.send(dict(reversed(message.items())), "a")
        await scene.submit("2", "a", "Two.")
        await taken(scene, 2)
        await scene.submit("1", "a", "Something else.")
        await dead(scene, 1)
    assert (await scene.now()).repeated == 1
    assert await scene.texts() == {"a": "Two."}
    assert await scene.versions() == {"a": 2}
    assert "id was taken before and said something else" in (await scene.dead())[0].cause


def poison(scene: Scene) -> list[tuple[Any, str]]:
    """Messages that cannot be taken, each with words of its cause."""
    good = scene.event("p", external_id="p", text="Poison.")
    deep: Any = "end"
    for _ in range(40):
        deep = {"a": deep}
    return [
        (b"\xff not JSON", "cannot be read as JSON"),
        (b"[1, 2]", "must be a JSON object"),
        ({**good, "id": ""}, "has no id. Give every"),
        ({name: value for name, value in good.items() if name != "id"}, "has no id"),
        ({**good, "id": "x" * 300}, "at most 255 characters"),
        ({name: value for name, value in good.items() if name != "tenantid"}, "has no tenantid"),
        ({**good, "tenantid": str(uuid4())}, "not the tenant of the source"),
        ({**good, "type": "document.exploded"}, "are not taken"),
        ({**good, "specversion": "0.3"}, "no CloudEvent 1.0"),
        ({**good, "dataschema": "urn:knowlog:event:document.submitted:99"}, "follows the schema"),
        ({**good, "time": (now() + timedelta(days=3)).isoformat()}, "from the future"),
        ({**good, "time": "yesterday"}, "no moment"),
        (scene.event("p1", external_id="p", text="a", url="https://example.com"), "exactly one of"),
        (scene.event("p2", external_id="p"), "exactly one of"),
        (scene.event("p3", text="no external id"), "external_id is missing"),
        (scene.event("p4", external_id="p", text=5), "text must be text"),
        (scene.event("p5", external_id="p", content_base64="%%%"), "not base64"),
        (scene.event("p6", external_id="p", text="a", metadata={"x": "\0"}), "NUL"),
        (scene.event("p7", external_id="p", text="a", metadata=deep), "nested more than"),
        (scene.event("p8", external_id="p", text="a", metadata={"x": "y" * 20_000}), "metadata has more than"),
        (scene.event("p9", external_id="p.exe", content_base64=base64.b64encode(b"MZ\x90\0" * 9).decode(),
                     filename="p.exe"), "."),
        (scene.event("pa", external_id="p", url="http://127.0.0.1/x"), "."),
    ]  # fmt: skip


async def test_what_does_not_fit_is_kept_and_its_neighbours_go_through(app: App, scene: Scene) -> None:
    """Each kind of poison between good messages; every dead letter says why."""
    messages = poison(scene)
    large = orjson.dumps(scene.event("big", external_id="p", text="x" * 1_100_000))
    for number, (message, _) in enumerate(messages):
        await scene.submit(f"good{number}", f"doc{number}", f"Good text {number}.")
        await scene.send(message)
    kafka_takes_it = scene.kind != "kafka"  # a megabyte is more than Kafka's clients send by default
    if kafka_takes_it:
        await scene.send(large)
    await scene.submit("last", "last", "The last.")
    wanted = len(messages) + kafka_takes_it
    async with all_at_work(app):
        await taken(scene, len(messages) + 1)
        await dead(scene, wanted)
    assert sorted(await scene.texts()) == sorted([*(f"doc{n}" for n in range(len(messages))), "last"])
    causes = [each.cause for each in await scene.dead()]
    assert len(causes) == wanted
    for _, words in messages:
        assert any(words in cause for cause in causes), words
    assert all(cause.endswith(".") for cause in causes), causes
    assert sum(each.withheld for each in await scene.dead()) == 1


async def test_dead_letters_can_be_read_replayed_and_deleted(app: App, scene: Scene, tenant: Scope) -> None:
    """After the collection is mended it is taken as if it had just come; not twice, and not by strangers."""
    from knowlog.sources import dead_body, delete_dead_letter

    message = scene.event("1", external_id="a", text="One.", metadata={"x": "y" * 20_000})
    await scene.send(message)
    await scene.send(b"\xff\xfe")
    async with all_at_work(app):
        await dead(scene, 2)
    by_size = sorted(await scene.dead(), key=lambda each: each.size_bytes)
    broken, large = by_size
    async with app.database.transaction(tenant) as connection:
        assert (await dead_body(connection, app.blobs, tenant, broken.dead_letter_id)).encoding == "base64"
        shown = await dead_body(connection, app.blobs, tenant, large.dead_letter_id)
    assert orjson.loads(shown.body or "") == message
    with pytest.raises(Invalid, match="more than 16 kB"):
        await app.inbox.replay(tenant, large.dead_letter_id)
    object.__setattr__(
        app.receiver._settings, "__dict__", {**app.receiver._settings.__dict__, "max_metadata_kb": 64}
    )
    try:
        await app.inbox.replay(tenant, large.dead_letter_id)
        with pytest.raises(Conflict, match="already"):
            await app.inbox.replay(tenant, large.dead_letter_id)
    finally:
        app.receiver._settings.__dict__["max_metadata_kb"] = 16
    assert await scene.texts() == {"a": "One."}
    await delete_dead_letter(app.database, app.blobs, tenant, broken.dead_letter_id)
    assert [each.dead_letter_id for each in await scene.dead()] == [large.dead_letter_id]


async def test_another_tenants_data_never_appear(
    app: App, make_scene: MakeScene, tenant: Scope, other_tenant: Scope
) -> None:
    """Neither as a document, nor in the body of a dead letter; and a topic cannot be read by two."""
    from knowlog.sources import dead_body

    scene = await make_scene()
    theirs = {
        **scene.event("1", external_id="secret", text="Charlie's secret."),
        "tenantid": str(other_tenant.tenant_id),
    }
    await scene.send(theirs)
    async with all_at_work(app):
        await dead(scene, 1)
    [letter] = await scene.dead()
    assert letter.withheld
    assert (letter.key, letter.headers) == ("", {})
    async with app.database.transaction(tenant) as connection:
        assert (await dead_body(connection, app.blobs, tenant, letter.dead_letter_id)).body is None
    assert await scene.texts() == {}
    await app_has_nothing_for(app, other_tenant, letter.dead_letter_id)
    with pytest.raises(NotFound):
        await app.inbox.replay(other_tenant, letter.dead_letter_id)
    other = await make_scene(other_tenant)
    with pytest.raises(Conflict, match="A topic has one source"):
        await create_source(
            app.database, other_tenant, NewSource("mine", scene.kind, scene.topic, "handbook"), app.settings.bus
        )  # fmt: skip
    assert await other.dead() == []


async def app_has_nothing_for(app: App, scope: Scope, dead_letter_id: object) -> None:
    from knowlog.sources import get_dead_letter

    async with app.database.transaction(scope) as connection:
        with pytest.raises(NotFound):
            await get_dead_letter(connection, scope, dead_letter_id)  # type: ignore[arg-type]


async def test_plain_objects_are_taken_where_the_source_says_so(app: App, make_scene: MakeScene) -> None:
    """Members by a mapping with dots; without an id that of the broker or its client is it."""
    scene = await make_scene(
        format="plain", mapping={"external_id": "article.sku", "text": "article.body", "id": "event"}
    )
    await scene.send({"event": 1, "article": {"sku": 4711, "body": "A red pen."}, "price": 2})
    await scene.send({"event": "2", "article": {"sku": "x", "body": "A blue pen."}}, "x")
    await scene.send({"event": "3", "type": "document.withdrawn", "article": {"sku": "x"}}, "x")
    await scene.send({"article": {"sku": "y", "body": "A pen without an id."}})
    async with all_at_work(app):
        await taken(scene, 4)
    assert await scene.texts() == {"4711": "A red pen.", "y": "A pen without an id."}


async def test_cloudevents_in_binary_mode(app: App, scene: Scene) -> None:
    """Attributes in headers, data as the body."""
    message = scene.event("1")
    prefix = "cloudEvents_" if scene.kind == "rabbitmq" else "ce_"
    attributes = {f"{prefix}{name}": value for name, value in message.items() if name != "data"}
    await scene.send({"external_id": "b", "text": "Binary."}, "", **attributes)
    async with all_at_work(app):
        await taken(scene, 1)
    assert await scene.texts() == {"b": "Binary."}


async def test_order_of_a_document_is_kept(app: App, scene: Scene) -> None:
    """400 versions of ten documents, two workers: the last one sent is the one that is there."""
    async with all_at_work(app), all_at_work(app):
        for number in range(400):
            await scene.submit(str(number), f"doc{number % 10}", f"Text {number}.")
        await taken(scene, 400)
    assert await scene.texts() == {f"doc{n}": f"Text {390 + n}." for n in range(10)}
    state = await scene.now()
    assert (state.taken, state.dead) == (400, 0)


async def test_a_reader_begins_with_one_message(
    app: App, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And asks for more as they prove small: what ended the process before may be the next."""
    many: list[int] = []
    take = app.inbox.take

    async def counted(inlet: Any, deliveries: Any, reader: Any) -> Any:
        many.append(len(deliveries))
        return await take(inlet, deliveries, reader)

    monkeypatch.setattr(app.inbox, "take", counted)
    for number in range(40):
        await scene.submit(str(number), f"doc{number}", f"Text {number}.")
    async with reading_only(app):
        await taken(scene, 40)
    assert many[0] == 1
    assert max(many) > 4


async def test_a_paused_source_is_not_read_and_then_goes_on(app: App, scene: Scene) -> None:
    """Within seconds, without a restart; nothing that came meanwhile is missed."""
    async with all_at_work(app):
        await scene.submit("1", "a", "One.")
        await taken(scene, 1)
        await change(app, scene, "paused")
        await scene.submit("2", "b", "Two.")
        await asyncio.sleep(4)
        assert await scene.texts() == {"a": "One."}
        await change(app, scene, "active")
        await taken(scene, 2)
    assert await scene.texts() == {"a": "One.", "b": "Two."}


async def change(app: App, scene: Scene, state: Any) -> None:
    async with app.database.transaction(scene.scope) as connection:
        await update_source(connection, scene.scope, scene.source.source_id, state, None)


async def test_without_a_collection_messages_wait(app: App, scene: Scene) -> None:
    """A deleted collection is told in the source; with another one it goes on, and nothing is lost."""
    from knowlog.documents import Profile, create_collection, delete_collection

    async with app.database.transaction(scene.scope) as connection:
        await delete_collection(connection, scene.scope, "handbook")
        await create_collection(connection, scene.scope, "second", app.complete_profile(Profile()))
    await scene.submit("1", "a", "One.")

    async def troubled() -> bool:
        return "collection was deleted" in ((await scene.now()).trouble or "")

    async with all_at_work(app):
        await until(troubled)
        async with app.database.transaction(scene.scope) as connection:
            await update_source(connection, scene.scope, scene.source.source_id, None, "second")
        await taken(scene, 1)
    assert (await scene.now()).trouble is None


async def test_a_full_tenant_stops_the_reading(app: App, scene: Scene) -> None:
    """Too many documents wait: messages stay with the broker, and come when there is room."""
    room = app.receiver.room
    most, room._most = room._most, 1
    room._waiting.clear()
    try:
        await scene.submit("1", "a", "One.")
        async with reading_only(app):
            await taken(scene, 1)

            async def troubled() -> bool:
                return "waiting to be indexed" in ((await scene.now()).trouble or "")

            await until(troubled)
            await scene.submit("2", "b", "Two.")
            await asyncio.sleep(2.5)
            assert await scene.texts() == {"a": "One."}
            room._most = most
            await taken(scene, 2)
    finally:
        room._most = most
    assert (await scene.now()).dead == 0


def reading_only(app: App) -> Any:
    """Read sources, and index nothing."""
    from contextlib import asynccontextmanager

    from knowlog.workers.sources import Sources

    @asynccontextmanager
    async def reading() -> Any:
        task = asyncio.create_task(Sources(app, "reader").run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return reading()


@pytest.mark.parametrize(
    "topic", ["knowlog.work.documents", "{knowlog.work.documents}:3", "knowlog.events", "__x", "a\nb", "^.*"]
)
async def test_topics_of_knowlog_itself_are_refused(app: App, scene: Scene, topic: str) -> None:
    """And those of the broker."""
    with pytest.raises(Invalid):
        await create_source(
            app.database, scene.scope, NewSource("x", scene.kind, topic, "handbook"), app.settings.bus
        )  # fmt: skip
