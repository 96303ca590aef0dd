"""Another embedding model: its vectors are made beside the old ones, and each collection switches at one moment."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from model_scene import (
    NEW,
    OLD,
    DownEmbedder,
    app_with,
    ask,
    by_both,
    index_all,
    keys,
    make_collection,
    notes,
    put,
    rebuild_all,
    rebuilder,
    shown,
    upload,
)

import own_server
from at_work import at_work
from knowlog.bootstrap import App, open_app
from knowlog.bus import WorkerSettings
from knowlog.cli.doctor.embeddings import judge
from knowlog.database import Database, Scope
from knowlog.documents import Profile
from knowlog.embedding import Embedder, no_other
from knowlog.ingestion import Indexer, Switch, ask_switch, get_switch, roll_back
from knowlog.kernel.errors import Misconfigured
from knowlog.retrieval import Search, retrieve
from knowlog.settings import load_settings
from knowlog.stores import VectorQuery
from knowlog.tenants import create_tenant, usage_by_day

server_dir, database = own_server.server_dir, own_server.database
"""A rebuild goes through every collection that it finds, also those of other tests."""

OpenOne = Callable[..., Awaitable[App]]


@pytest.fixture(autouse=True)
async def _unheard(database: Database) -> None:
    """What workers of other tests said of their model is forgotten."""
    async with database.owner() as owner:
        await owner.execute(
            "select setval('knowlog.model_announced', 0), setval('knowlog.models_differed', 0)"
        )


@pytest.fixture
async def old(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process that was started with the old model."""
    async with app_with(server_dir, dimensions=64) as opened:
        yield opened


@pytest.fixture
async def new(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process that was started with the new model."""
    async with app_with(server_dir, dimensions=96) as opened:
        yield opened


async def test_the_first_document_decides_which_key_answers(old, tenant) -> None:
    """A collection without documents has none."""
    await make_collection(old, tenant)
    assert (await shown(old, tenant)).embedding.key is None
    await put(old, tenant, notes(1))
    assert (await shown(old, tenant)).embedding.key == OLD


async def test_until_the_switch_the_old_model_answers(old, new, tenant) -> None:
    """A process with the new setting opens the old model by its key."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(3))
    found = await ask(new, tenant, "where does zebra1 sleep", collection)
    assert by_both(found)
    assert (found.degraded, found.model.profile.key) == ((), OLD)


async def test_an_old_model_that_cannot_be_opened_costs_the_dense_leg_and_the_answer_says_so(
    old, new, tenant
) -> None:
    """Its vectors are compared with nothing."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(3))
    found = await ask(new, tenant, "where does zebra1 sleep", collection, open_model=no_other)
    assert "zebra1 " in found.passages[0].text
    assert set(found.passages[0].legs) == {"lexical"}
    assert found.degraded == ("dense",)
    assert "by their words alone" in found.notes[0]


async def test_a_collection_switches_when_all_is_made_and_the_old_vectors_go(old, new, tenant) -> None:
    """Everything under the new key, nothing under the old one, no trace of the work."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(70))
    await rebuild_all(new)
    assert await keys(new, tenant, collection) == {NEW: 70}
    assert (await shown(new, tenant)).embedding.key == NEW
    assert (await shown(new, tenant)).embedding.building is None
    found = await ask(new, tenant, "where does zebra7 sleep", collection)
    assert by_both(found)
    assert found.model.profile.key == NEW


async def test_what_is_embedded_anew_is_counted_by_itself(old, new, tenant) -> None:
    """And not held against the tokens that the tenant's own documents may cost."""
    await make_collection(old, tenant)
    await put(old, tenant, notes(3))
    await rebuild_all(new)
    async with new.database.transaction(tenant) as connection:
        counted = {each.counted: each.amount for each in await usage_by_day(connection, 1)}
    assert 3 * 8 <= counted["rebuild_tokens"] <= 3 * 24
    assert counted["embedding_tokens"] <= 3 * 24


async def test_no_question_fails_or_is_mixed_while_a_collection_switches(
    old, new, tenant, monkeypatch
) -> None:
    """Each is answered wholly by one key, by every document that its dense leg should see."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(40))
    asked: list[tuple[str, int, int]] = []
    search = new.store.search

    async def watched(connection, tenant_id, query: VectorQuery) -> list:
        hits = await search(connection, tenant_id, query)
        asked.append((query.embedding_key, len(query.vector), len(hits)))
        return hits

    monkeypatch.setattr(new.store, "search", watched)
    done = asyncio.Event()

    async def go_on_asking() -> int:
        count = 0
        while not done.is_set():
            found = await ask(new, tenant, f"where does zebra{count % 40} sleep", collection)
            assert found.degraded == ()
            assert f"zebra{count % 40} " in found.passages[0].text
            assert by_both(found)
            count += 1
        return count

    asking = [asyncio.create_task(go_on_asking()) for _ in range(3)]
    await rebuild_all(new)
    await asyncio.sleep(0.2)
    done.set()
    assert sum(await asyncio.gather(*asking)) == len(asked)
    assert set(asked) == {(OLD, 64, 40), (NEW, 96, 40)}


async def test_a_question_that_began_before_the_switch_still_has_the_old_vectors(old, new, tenant) -> None:
    """It sees one moment, also when the old vectors are dropped before its dense leg."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(10))
    opening, switched = asyncio.Event(), asyncio.Event()

    async def slowly(key: str) -> Embedder:
        opening.set()
        await switched.wait()
        return await new.models.open(key)

    asking = asyncio.create_task(ask(new, tenant, "where does zebra1 sleep", collection, open_model=slowly))
    await opening.wait()
    await rebuild_all(new)
    assert await keys(new, tenant, collection) == {NEW: 10}
    switched.set()
    found = await asking
    assert by_both(found)
    assert found.model.profile.key == OLD


async def test_uploads_meanwhile_are_embedded_by_both_models(old, new, tenant) -> None:
    """They are found at once, and nothing is left to do for them."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(2))
    await put(new, tenant, {"fresh": "The okapi sleeps at dusk."})
    assert await keys(new, tenant, collection) == {OLD: 3, NEW: 1}
    assert by_both(await ask(new, tenant, "when does the okapi sleep", collection))
    assert by_both(await ask(old, tenant, "when does the okapi sleep", collection))


async def test_what_is_deleted_replaced_and_uploaded_meanwhile_comes_out_right(old, new, tenant) -> None:
    """In the middle of the work, between two slices."""
    collection = await make_collection(old, tenant)
    documents = await put(old, tenant, notes(100))
    steps = 0

    async def meddle() -> None:
        await new.delete_document(tenant, documents["note-99"])
        await new.delete_document(tenant, documents["note-0"])
        await put(new, tenant, {"note-1": "The quagga is gone.", "note-98": "The quagga was here."})
        await put(old, tenant, {"late": "The okapi came late, by a worker with the old setting."})

    worker = rebuilder(new, turn_s=0.0)  # a slice each turn
    for _ in range(500):
        await worker.rebuild()
        embedding = (await shown(new, tenant)).embedding
        steps += embedding.building is not None
        if embedding.building and steps == 2:
            await meddle()
        if embedding.key == NEW:
            break
        await asyncio.sleep(0.01)
    assert steps > 3
    await rebuild_all(new)
    async with new.database.transaction(tenant) as connection:
        chunks = await connection.fetchval("select count(*) from chunks where collection_id = $1", collection)
    assert (chunks, await keys(new, tenant, collection)) == (99, {NEW: 99})
    for question, words in (("quagga", "quagga"), ("okapi late", "okapi"), ("zebra50", "zebra50")):
        found = await ask(new, tenant, question, collection)
        assert by_both(found)
        assert words in found.passages[0].text


async def test_a_new_model_that_is_down_leaves_the_old_one_answering_and_says_why(
    old, tenant, database
) -> None:
    """Questions, uploads and the collection's state."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(2))
    down = DownEmbedder()
    for _ in range(50):  # collections of other tests have their turn too
        await rebuilder(old, down).rebuild()
        if (await shown(old, tenant)).embedding.building:
            break
    embedding = (await shown(old, tenant)).embedding
    assert (embedding.key, embedding.building.key) == (OLD, down.profile.key)
    assert (embedding.building.done, embedding.building.total) == (0, 2)
    assert "cannot be reached" in embedding.building.reason
    indexer = Indexer(old.database, old.blobs, old.parser, down, old.store, WorkerSettings(), old.models.open)
    await upload(old, tenant, {"fresh": "The okapi sleeps at dusk."})
    await index_all(old, indexer)

    async def opened(key: str) -> Embedder:
        return old.embedder

    found = await retrieve(
        database, tenant, down, old.store, Search("okapi dusk", (collection,)), open_model=opened
    )
    assert by_both(found)
    assert found.degraded == ()
    async with old.database.system() as connection:
        rows = await connection.fetch("select * from embedding_overview()")
    finding = judge(rows, down.profile.key)
    assert finding.outcome == "warn"
    assert "cannot be reached" in finding.found
    async with database.owner() as owner:  # what was put off need not wait
        await owner.execute("update knowlog.embedding_builds set lease_until = clock_timestamp()")


async def test_collections_of_different_keys_are_searched_together(old, new, tenant) -> None:
    """Each with its own model; neither's cosines hide the other's passages."""
    one = await make_collection(old, tenant, "one")
    await put(old, tenant, {"a": "The zebra sleeps at noon.", "b": "Invoices are paid in May."}, "one")
    two = await make_collection(new, tenant, "two")
    await put(new, tenant, {"c": "The okapi sleeps at dusk.", "d": "Taxes are paid in June."}, "two")
    for question, first in (("zebra noon", "zebra"), ("okapi dusk", "okapi")):
        found = await ask(new, tenant, question, one, two)
        assert by_both(found)
        assert first in found.passages[0].text
        assert all("dense" in passage.legs for passage in found.passages)
    silent = await ask(new, tenant, "zebra noon", one, two, open_model=no_other)
    assert "zebra" in silent.passages[0].text
    assert silent.degraded == ("dense",)
    assert "some of the collections" in silent.notes[0]


async def test_two_tenants_are_rebuilt_each_for_itself(old, new, tenant, other_tenant) -> None:
    """By two workers at once; each sees its own."""
    mine, theirs = await make_collection(old, tenant), await make_collection(old, other_tenant)
    await put(old, tenant, notes(40))
    await put(old, other_tenant, {"secret": "The okapi is a secret."})
    await asyncio.gather(rebuild_all(new), rebuild_all(new))
    assert await keys(new, tenant, mine) == {NEW: 40}
    assert await keys(new, other_tenant, theirs) == {NEW: 1}
    assert await keys(new, tenant, theirs) == {}
    async with new.database.transaction(tenant) as connection:
        assert await connection.fetchval("select collection_embedding($1)", theirs) is None


async def test_chunks_that_the_new_model_would_cut_off_are_cut_anew(old, server_dir, tenant) -> None:
    """The document is indexed again; it is found all the while."""
    collection = await make_collection(old, tenant)
    text = " ".join(f"word{n} runs." for n in range(80)) + " The okapi sleeps at dusk."
    await put(old, tenant, {"long": text})
    async with app_with(server_dir, dimensions=96, window_tokens=64) as small:
        worker = rebuilder(small)
        for _ in range(200):
            await worker.rebuild()
            assert (await ask(small, tenant, "okapi dusk", collection)).passages
            await index_all(small)
            if (await shown(small, tenant)).embedding.key == "fake-96-64":
                break
            await asyncio.sleep(0.05)
        assert (await shown(small, tenant)).embedding.key == "fake-96-64"
        async with small.database.transaction(tenant) as connection:
            rows = await connection.fetch("select text from chunks where collection_id = $1", collection)
        assert max(len(small.embedder.token_offsets(row["text"])) for row in rows) <= 62
        assert by_both(await ask(small, tenant, "okapi dusk", collection))


async def test_a_worker_killed_in_the_middle_is_followed_by_another(old, new, server_dir, tenant) -> None:
    """With kill -9; what was done is not done again."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(400))
    urls = f"url={new.database._url!r}, owner_url={new.database._owner_url!r}"
    script = (
        "import asyncio\n"
        "from knowlog.database import Database, open_database, DatabaseSettings\n"
        "from knowlog.embedding.adapters.fake import FakeEmbedder\n"
        "from knowlog.ingestion import Rebuilder\n"
        "from knowlog.stores import open_store, StoresSettings\n"
        "from pathlib import Path\n"
        "class Slow(FakeEmbedder):\n"
        "    async def embed_documents(self, texts):\n"
        "        await asyncio.sleep(0.2)\n"
        "        return await super().embed_documents(texts)\n"
        "async def main():\n"
        f"    database = await open_database(DatabaseSettings({urls}), Path('.'))\n"
        "    worker = Rebuilder(database, Slow(96, 512), open_store(StoresSettings()), 'victim', lease_s=2)\n"
        "    while True:\n"
        "        await worker.rebuild()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    try:
        for _ in range(1200):
            made = (await keys(new, tenant, collection)).get(NEW, 0)
            if made >= 60:
                break
            await asyncio.sleep(0.05)
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert 60 <= made < 400
    assert by_both(await ask(new, tenant, "zebra7 stable7", collection))
    counted = []
    worker = rebuilder(new)
    worker._done = counted.append
    for _ in range(100):
        await worker.rebuild()
        if (await shown(new, tenant)).embedding.key == NEW:
            break
        await asyncio.sleep(0.1)
    await rebuild_all(new)
    assert await keys(new, tenant, collection) == {NEW: 400}
    assert sum(counted) <= 400 - 60


async def test_the_near_index_of_the_old_key_goes_with_its_vectors(old, new, tenant) -> None:
    """A large collection has an index for the new key, and keeps none for the old one."""
    from knowlog.stores import graduate_large_collections

    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(40))

    async def fold() -> None:
        async with old.database.system() as connection:
            while await connection.fetchval("select fold_statistics(500)"):
                pass

    async def indexes() -> set[str]:
        async with old.database.owner() as owner:
            rows = await owner.fetch(
                "select embedding_key from knowlog.vectors v where false union all "
                "select key from unnest($2::text[]) key where to_regclass('knowlog.' || knowlog.near_index($1, key))"
                " is not null",
                collection, [OLD, NEW],
            )  # fmt: skip
        return {row["embedding_key"] for row in rows}

    await fold()
    await graduate_large_collections(old.database, 40)
    assert await indexes() == {OLD}
    await rebuild_all(new)
    await graduate_large_collections(new.database, 40)
    assert await indexes() == {NEW}
    assert by_both(await ask(new, tenant, "zebra7 stable7", collection))


async def test_a_store_in_one_process_is_refused_where_processes_share(server_dir) -> None:
    """What a worker wrote there, a server would not see."""
    environ = {"KNOWLOG_DATA_DIR": str(server_dir), "KNOWLOG_STORES_VECTORS": "memory"}
    with pytest.raises(Misconfigured, match="KNOWLOG_STORES_VECTORS=pgvector"):
        async with open_app(load_settings(environ)):
            pass


async def test_a_tenant_deleted_meanwhile_is_let_go(old, new) -> None:
    """The worker goes on with the others."""
    scope = Scope((await create_tenant(old.database, "bob")).tenant_id, "key:bob")
    await make_collection(old, scope)
    await put(old, scope, notes(3))
    await old.delete_tenant(scope.tenant_id)
    await rebuild_all(new)


async def test_an_index_of_the_old_model_is_made_anew_before_it_answers_again(old, new, tenant) -> None:
    """Rolled back to after the model has changed: its vectors could be compared with no question."""
    collection = await make_collection(old, tenant)
    await put(old, tenant, notes(3))
    small = old.complete_profile(Profile(chunking={"size_tokens": 16, "overlap": 0.0}))
    async with old.database.transaction(tenant) as connection:
        asked = await ask_switch(connection, tenant, collection, small, 1)
    await switch_done(old, tenant, asked)
    await rebuild_all(new)
    async with new.database.transaction(tenant) as connection:
        back = await roll_back(connection, tenant, "notes")
    assert (await switch_done(new, tenant, back)).state == "done"
    found = await ask(new, tenant, "where does zebra1 sleep", collection)
    assert (by_both(found), found.degraded) == (True, ())


async def switch_done(app: App, scope: Scope, asked: Switch) -> Switch:
    """A switch that a worker has done."""
    async with at_work(app):
        while True:
            async with app.database.transaction(scope) as connection:
                found = await get_switch(connection, scope, asked.switch_id)
            if found.state not in ("waiting", "running"):
                return found
            await asyncio.sleep(0.05)
