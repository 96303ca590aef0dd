"""Documents become findable once, are replaced at one moment, fail in words, and are deleted for good."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import numpy as np
import pytest
from numpy.typing import NDArray

from at_work import at_work, fake_app
from knowlog.bootstrap import App
from knowlog.bus import claim, complete, keep_leases, list_jobs
from knowlog.database import Database, Scope
from knowlog.documents import (
    Document,
    Profile,
    Upload,
    create_collection,
    document_text,
    get_collection,
    get_document,
    retry_document,
)
from knowlog.ingestion import sweep_originals
from knowlog.kernel.errors import LimitReached, Misconfigured, NotFound, ParseFailed, PreconditionFailed
from knowlog.retrieval import Passage, Search, retrieve
from knowlog.workers import Worker
from knowlog.workers.turns import Batch

Send = Callable[..., Awaitable[Document]]
_COUNT_WAITING = "select count(*) from pg_locks where not granted"


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App on the shared database, with the fake model: these tests are not about its quality."""
    async with fake_app(server_dir, WORKER_BACKOFF_S="0.05", PARSING_MAX_CHUNKS="2000") as opened:
        yield opened


@pytest.fixture
async def working(app: App) -> AsyncIterator[Worker]:
    """A worker that takes jobs during the test."""
    async with at_work(app) as worker:
        yield worker


@pytest.fixture
async def send(app: App, tenant: Scope) -> Send:
    """Upload a text as Alice."""
    async with app.database.transaction(tenant) as connection:
        await create_collection(connection, tenant, "notes", app.complete_profile(Profile()))

    async def call(name: str, content: bytes, **more: object) -> Document:
        async with app.database.transaction(tenant) as connection:
            upload = Upload(name, more.pop("filename", f"{name}.txt"), content, **more)
            (received,) = await app.receiver.receive(connection, tenant, "notes", [upload])
        return received.document

    return call


async def settled(app: App, scope: Scope, document_id: UUID) -> Document:
    """The document when its latest version is indexed or has failed."""
    for _ in range(600):
        async with app.database.transaction(scope) as connection:
            document = await get_document(connection, scope, document_id)
        if document.state == "failed" or (
            document.state == "indexed" and document.version == document.latest
        ):
            return document
        await asyncio.sleep(0.02)
    raise AssertionError(f"still {document.state}")


async def find(app: App, scope: Scope, question: str) -> list[Passage]:
    async with app.database.transaction(scope) as connection:
        collection = await get_collection(connection, scope, "notes")
    search = Search(question, (collection.collection_id,), 5)
    found = await retrieve(app.database, scope, app.embedder, app.store, search)
    return list(found.passages)


async def test_an_upload_becomes_findable_with_an_exact_span(app, working, send, tenant) -> None:
    """A passage is exactly its span of the stored text."""
    sent = await send("a", b"The zebra sleeps at noon.\n\nNobody knows why.")
    await settled(app, tenant, sent.document_id)
    passage = (await find(app, tenant, "when does the zebra sleep"))[0]
    async with app.database.transaction(tenant) as connection:
        text = await document_text(connection, tenant, sent.document_id, None, passage.start, passage.end)
    assert text.text == passage.text


async def test_a_new_version_replaces_the_old_one_whole(app, working, send, tenant) -> None:
    """After an update nothing of the old version is found, and its text is gone."""
    sent = await send("a", b"The code word is heliotrope.")
    await settled(app, tenant, sent.document_id)
    await send("a", b"The code word is marigold.")
    document = await settled(app, tenant, sent.document_id)
    assert (document.version, document.latest) == (2, 2)
    assert all("heliotrope" not in passage.text for passage in await find(app, tenant, "heliotrope"))
    async with app.database.transaction(tenant) as connection:
        with pytest.raises(NotFound):
            await document_text(connection, tenant, sent.document_id, 1)


async def test_the_old_version_answers_until_the_new_one_is_indexed(app, send, tenant) -> None:
    """Without a worker the update waits, and the first version stays."""
    async with at_work(app):
        sent = await send("a", b"The code word is heliotrope.")
        await settled(app, tenant, sent.document_id)
    await send("a", b"The code word is marigold.")
    assert "heliotrope" in (await find(app, tenant, "code word"))[0].text


async def test_a_newer_upload_overtakes_one_that_waits(app, send, tenant) -> None:
    """Of versions that came in before a worker looked, only the newest is indexed."""
    sent = await send("a", b"one")
    await send("a", b"two")
    await send("a", b"three is the last")
    async with at_work(app):
        document = await settled(app, tenant, sent.document_id)
    assert document.version == 3
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from chunks") == 1
        assert {job.state for job in await list_jobs(connection)} == {"done"}


async def test_an_unreadable_file_fails_in_words_and_can_be_retried(app, working, send, tenant) -> None:
    """A permanent failure is not repeated; the person is told why, and may try again."""
    sent = await send("a", b"%PDF-1.7 this is no PDF", filename="a.pdf")
    failed = await settled(app, tenant, sent.document_id)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert failed.reason.endswith(".")
    async with app.database.transaction(tenant) as connection:
        await retry_document(connection, tenant, sent.document_id)
    assert (await settled(app, tenant, sent.document_id)).state == "failed"


async def test_a_broken_neighbour_harms_nobody(app, working, send, tenant) -> None:
    """Documents of one batch fail alone."""
    good = await send("good", b"All is well.")
    bad = await send("bad", b"%PDF-1.7 broken", filename="bad.pdf")
    also = await send("also", b"Here too.")
    states = [(await settled(app, tenant, each.document_id)).state for each in (good, bad, also)]
    assert states == ["indexed", "failed", "indexed"]


async def test_identical_text_is_embedded_once(app, working, send, tenant, monkeypatch) -> None:
    """A tenant's own vector of the same text is used again."""
    await settled(app, tenant, (await send("a", b"The same words.", title="T")).document_id)
    embedded: list[str] = []
    original = type(app.embedder).embed_documents

    async def watched(self, texts):
        embedded.extend(texts)
        return await original(self, texts)

    monkeypatch.setattr(type(app.embedder), "embed_documents", watched)
    await settled(app, tenant, (await send("b", b"The same words.", title="T")).document_id)
    assert embedded == []


async def test_deletion_leaves_nothing_and_says_so(app, working, send, tenant) -> None:
    """The receipt counts what went, found it before and not after; the original bytes go too."""
    sent = await send("a", b"The secret ingredient is cardamom.")
    await settled(app, tenant, sent.document_id)
    receipt = await app.delete_document(tenant, sent.document_id)
    assert (receipt.versions, receipt.chunks, receipt.vectors) == (1, 1, 1)
    assert receipt.proof["found_before"] == 2
    assert receipt.proof["found_after"] == 0
    assert await find(app, tenant, "cardamom") == []
    for _ in range(200):
        if not [
            path
            for path in (app.settings.data_dir / "blobs" / str(tenant.tenant_id)).rglob("*")
            if path.is_file()
        ]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the original bytes are still there")


async def test_deletion_of_another_revision_is_refused(app, working, send, tenant) -> None:
    """Who has read an older state does not delete a newer one."""
    sent = await send("a", b"Text.")
    await settled(app, tenant, sent.document_id)
    with pytest.raises(PreconditionFailed):
        await app.delete_document(tenant, sent.document_id, expected=99)


async def test_a_stranger_can_neither_find_nor_delete(app, working, send, tenant, other_tenant) -> None:
    """Another tenant's document is absent in every call."""
    sent = await send("a", b"The secret ingredient is cardamom.")
    await settled(app, tenant, sent.document_id)
    with pytest.raises(NotFound):
        await app.delete_document(other_tenant, sent.document_id)
    async with app.database.transaction(tenant) as connection:
        collection = (await get_collection(connection, tenant, "notes")).collection_id
    found = await retrieve(
        app.database, other_tenant, app.embedder, app.store, Search("cardamom", (collection,), 5)
    )
    assert found.passages == ()


async def test_a_deletion_in_mid_job_wins(app, send, tenant) -> None:
    """A worker that comes back with the text of a deleted document writes nothing."""
    sent = await send("a", b"Gone before it was read.")
    events = [event for event in await claim(app.database, "w", 30, 100) if event.subject == sent.document_id]
    await app.delete_document(tenant, sent.document_id)
    await app.indexer.index("w", events)
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from chunks") == 0


async def test_a_worker_that_lost_its_lease_writes_nothing(app, send, tenant) -> None:
    """The late one is fenced off by the number of the attempt; the one that took over is not disturbed."""
    sent = await send("a", b"Indexed by one of two.")
    (mine,) = [e for e in await claim(app.database, "slow", 0.01, 100) if e.subject == sent.document_id]
    await asyncio.sleep(0.05)
    (theirs,) = [e for e in await claim(app.database, "quick", 30, 100) if e.subject == sent.document_id]
    await app.indexer.index("slow", [mine])
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from chunks") == 0
    await app.indexer.index("quick", [theirs])
    async with app.database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from chunks") == 1


async def test_a_document_that_ends_its_workers_is_given_up(app, send, tenant) -> None:
    """After the last attempt it fails, though no worker lived to say why."""
    sent = await send("a", b"Text.")
    (event,) = [e for e in await claim(app.database, "w", 30, 100) if e.subject == sent.document_id]
    async with app.database.transaction(tenant) as connection:
        await connection.execute("update events set attempts = 6 where event_id = $1", event.event_id)
    await app.indexer.index("w", [replace(event, attempts=6)])
    failed = await settled(app, tenant, sent.document_id)
    assert "again and again" in failed.reason


async def test_the_failure_of_an_old_version_is_not_the_new_ones(app, send, tenant) -> None:
    """A worker at the first version gives up when the second has come in: that still waits for its turn."""
    sent = await send("a", b"one")
    (old,) = [e for e in await claim(app.database, "w", 30, 100) if e.subject == sent.document_id]
    newer = await send("a", b"two is the last")
    await app.indexer.give_up("w", tenant, old, ParseFailed("The first cannot be read."))
    async with app.database.transaction(tenant) as connection:
        document = await get_document(connection, tenant, sent.document_id)
    assert (document.state, document.reason, document.latest) == ("received", None, newer.latest)
    async with at_work(app):
        assert (await settled(app, tenant, sent.document_id)).state == "indexed"


async def test_a_limit_that_stops_a_worker_changes_nothing_of_what_another_has_done(
    app, send, tenant
) -> None:
    """It slept, another took its work over and is done; then it is told that it must wait."""
    sent = await send("a", b"The zebra sleeps at noon.")
    (slept,) = [e for e in await claim(app.database, "w", 0, 100) if e.subject == sent.document_id]
    (taken,) = [e for e in await claim(app.database, "v", 30, 100) if e.subject == sent.document_id]
    await app.indexer.index("v", [taken])
    await app.indexer.give_up("w", tenant, slept, LimitReached("Not today.", retry_after_s=60))
    async with app.database.transaction(tenant) as connection:
        document = await get_document(connection, tenant, sent.document_id)
    assert (document.state, document.reason) == ("indexed", None)


async def test_a_heartbeat_does_not_wait_for_what_is_being_finished(app, send, tenant) -> None:
    """While one event's effect is being written, the leases of the others are prolonged all the same."""
    sent = [await send(name, b"Text.") for name in ("a", "b")]
    ids = {each.document_id for each in sent}
    first, second = [e for e in await claim(app.database, "w", 30, 100) if e.subject in ids]
    async with app.database.transaction(tenant) as connection:
        await complete(connection, "w", [first])
        async with asyncio.timeout(5):
            assert await keep_leases(app.database, "w", 60, [first.event_id, second.event_id]) == set()
        async with app.database.owner() as owner:
            left = await owner.fetchval(
                "select lease_until - clock_timestamp() from knowlog.events where event_id = $1",
                second.event_id,
            )
        await complete(connection, "w", [second])
    assert left > timedelta(seconds=45)


async def test_a_worker_does_not_take_its_own_work_over(app, send, tenant) -> None:
    """A lease that ran out under load is not claimed again by the process that still works on it."""
    sent = await send("a", b"Text.")
    (event,) = [e for e in await claim(app.database, "busy", 0.01, 100) if e.subject == sent.document_id]
    await asyncio.sleep(0.05)
    again = await claim(app.database, "busy", 30, 100, held=[event.event_id])
    assert [e for e in again if e.subject == sent.document_id] == []
    async with app.database.transaction(tenant) as connection:
        await complete(connection, "busy", [event])


async def test_a_claim_that_was_never_heard_of_is_made_again(app, send, tenant) -> None:
    """PostgreSQL died between the commit of a claim and its answer: the worker's own name does not protect it."""
    sent = await send("a", b"Text.")
    await claim(app.database, "only", 0.01, 100)
    await asyncio.sleep(0.05)
    assert [
        e.attempts for e in await claim(app.database, "only", 30, 100) if e.subject == sent.document_id
    ] == [2]


def originals(app: App, scope: Scope) -> list[Path]:
    folder = app.settings.data_dir / "blobs" / str(scope.tenant_id)
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_originals_of_a_deleted_tenant_are_gone(app, send, tenant) -> None:
    """The operator's deletion takes the bytes with it."""
    await send("a", b"Text.")
    assert originals(app, tenant)
    await app.delete_tenant(tenant.tenant_id)
    assert originals(app, tenant) == []


async def test_originals_that_no_version_knows_are_swept(app, send, tenant) -> None:
    """What a rolled back upload left is removed; what belongs to a version stays."""
    await send("a", b"Text.")
    known = originals(app, tenant)
    await app.blobs.put({f"{tenant.tenant_id}/{tenant.tenant_id}/1-lost": b"x"})
    assert await sweep_originals(app.database, app.blobs, 3600, str(tenant.tenant_id)) == 0
    assert await sweep_originals(app.database, app.blobs, 0, str(tenant.tenant_id)) == 1
    assert originals(app, tenant) == known


async def test_parallel_uploads_of_one_document_all_succeed(app, send, tenant) -> None:
    """They are taken in one after the other; the last one is the latest, and no original is left over."""
    sent = await asyncio.gather(*(send("same", f"Text {number}.".encode()) for number in range(20)))
    assert len({each.document_id for each in sent}) == 1
    assert max(each.latest for each in sent) == 20


async def test_an_upload_behind_another_is_compared_with_what_that_one_left(app, send, tenant) -> None:
    """Who waited for a newer version, with the bytes of the one before, brings the newest; with its own, nothing new."""
    first = await send("same", b"Before.")
    async with app.database.transaction(tenant) as connection:
        upload = Upload("same", "same.txt", b"After.")
        await app.receiver.receive(connection, tenant, "notes", [upload])
        waiting = [asyncio.create_task(send("same", b"Before.")) for _ in range(2)]
        async with asyncio.timeout(30):
            while await connection.fetchval(_COUNT_WAITING) < len(waiting):
                await asyncio.sleep(0.02)
    sent = await asyncio.gather(*waiting)
    assert {(each.document_id, each.latest) for each in sent} == {(first.document_id, 3)}


async def test_a_small_document_passes_a_large_one(app, working, send, tenant) -> None:
    """While a long text is being embedded, a short one is indexed."""
    long = await send(
        "long", b"\n\n".join(b"Paragraph %d says something of its own." % n for n in range(40_000))
    )
    await asyncio.sleep(0.3)
    short = await send("short", b"A short note.")
    await settled(app, tenant, short.document_id)
    async with app.database.transaction(tenant) as connection:
        assert (await get_document(connection, tenant, long.document_id)).state != "indexed"
    await app.delete_document(tenant, long.document_id)


async def test_an_unforeseen_fault_frees_the_lease(app, send, tenant, monkeypatch) -> None:
    """Whatever a handler raises, and even if that cannot be recorded, the work is taken up again."""
    sent = await send("a", b"Text.")
    worker = Worker(app)
    events = [e for e in await claim(app.database, worker.name, 30, 100) if e.subject == sent.document_id]
    worker._held.update({event.event_id: event for event in events})

    async def broken(*_: object) -> None:
        raise asyncpg.InternalClientError("cannot switch to state 15")

    worker._handlers["document.received"] = broken
    monkeypatch.setattr(type(app.indexer), "give_up", broken)
    worker._turns.add([Batch(events)])
    worker._begin()
    while worker._running:
        await asyncio.sleep(0.01)
    assert worker._held == {}


async def test_a_document_of_too_many_chunks_is_refused_with_a_reason(app, working, send, tenant) -> None:
    """Millions of quotation marks are within the limit of characters, and would be one transaction of minutes."""
    sent = await send("quotes", b'"' * 1_000_000)
    failed = await settled(app, tenant, sent.document_id)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert "chunks; one document may have 2,000" in failed.reason


async def test_a_text_that_a_model_refuses_fails_its_own_document_alone(
    app: App, tenant: Scope, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An endpoint refuses a whole request for one text that is too long for it, or that its filter does not let pass."""
    embed = app.embedder.embed_documents

    async def refusing(texts: Sequence[str]) -> NDArray[np.float32]:
        if any("forbidden" in text for text in texts):
            raise Misconfigured("The embedding endpoint refuses the request (400).")
        return await embed(texts)

    monkeypatch.setattr(app.embedder, "embed_documents", refusing)
    sent = [await send(f"{n}", f"The quokka{n} sleeps{' forbidden' * (n == 3)}.".encode()) for n in range(6)]
    async with at_work(app):
        ended = [await settled(app, tenant, each.document_id) for each in sent]
    assert [each.state for each in ended] == ["indexed"] * 3 + ["failed"] + ["indexed"] * 2
    assert "refuses the request" in (ended[3].reason or "")
