"""Workers with different embedding models do not undo each other's work: none begins while they differ."""

import asyncio
from datetime import timedelta

import pytest

from knowlog.database import Database, Scope
from knowlog.documents import Profile, create_collection
from knowlog.embedding.adapters.fake import FakeEmbedder
from knowlog.ingestion import QUIET, Rebuilder
from knowlog.ingestion.agreement import Agreement
from knowlog.stores import StoresSettings, open_store

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
async def _unheard(database: Database) -> None:
    """What workers of other tests said of their model is forgotten."""
    async with database.owner() as owner:
        await owner.execute(
            "select setval('knowlog.model_announced', 0), setval('knowlog.models_differed', 0);"
            "set role knowlog_definer; delete from knowlog.embedding_builds"
        )


async def differ(database: Database) -> bool:
    """What `knowlog doctor` asks, and how."""
    async with database.owner() as owner:
        await owner.execute("set role knowlog_system")
        return bool(await owner.fetchval("select knowlog.models_differ($1)", QUIET))


async def test_workers_of_one_model_agree(database: Database) -> None:
    """However many say so."""
    workers = [Agreement(database, "minilm") for _ in range(3)]
    assert all([await worker.announce() for worker in workers])
    assert not await differ(database)


async def test_workers_of_two_models_do_not(database: Database) -> None:
    """Both hear of it, and so does the doctor."""
    one, other = Agreement(database, "minilm"), Agreement(database, "bge")
    assert await one.announce()
    assert not await other.announce()
    assert not await one.announce()
    assert await differ(database)


async def test_a_few_of_another_model_are_heard_among_many(database: Database) -> None:
    """The many speak last, again and again."""
    many = [Agreement(database, "minilm") for _ in range(9)]
    await Agreement(database, "bge").announce()
    assert not any([await worker.announce() for worker in many])


async def test_when_the_last_of_the_old_model_was_killed_the_others_begin_after_a_while(
    database: Database,
) -> None:
    """Its word holds for so long, and the silence after it."""
    await Agreement(database, "minilm", SECOND, SECOND).announce()
    other = Agreement(database, "bge", SECOND, SECOND)
    assert not await other.announce()
    for _ in range(50):
        if await other.announce():
            return
        await asyncio.sleep(0.1)
    pytest.fail("they never begin")


async def test_after_a_polite_stop_the_next_begins_at_once(database: Database) -> None:
    """The one that stopped took its word back."""
    before = Agreement(database, "minilm")
    await before.announce()
    await before.withdraw()
    assert await Agreement(database, "bge").announce()


async def test_a_collection_stays_with_its_model_while_workers_differ(
    database: Database, tenant: Scope
) -> None:
    """It would be made anew for ever, by the one and by the other."""
    async with database.transaction(tenant) as connection:
        made = await create_collection(connection, tenant, "notes", Profile())
        await connection.execute("update collections set embedding_key = 'minilm'")
    one, other = (
        Rebuilder(
            database, FakeEmbedder(dimensions, 512), open_store(StoresSettings()), f"worker-{dimensions}"
        )
        for dimensions in (64, 96)
    )
    assert await one.model.announce()
    assert not await other.rebuild()
    assert not await one.rebuild()
    async with database.transaction(tenant) as connection:
        assert await connection.fetchval("select count(*) from embedding_builds") == 0
        key = await connection.fetchval(
            "select embedding_key from collections where collection_id = $1", made.collection_id
        )
    assert key == "minilm"
