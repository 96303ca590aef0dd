"""What one who sees a part of a large collection is compared with: it follows the lists, and shows nothing by itself."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import numpy as np
import pytest

from knowlog.database import Database, Scope, pool
from knowlog.stores import (
    VectorQuery,
    VectorRow,
    VectorStore,
    fold_statistics,
    graduate_large_collections,
    remove_chunks,
)
from knowlog.tenants import create_tenant

SIZE, NAMED, DIMENSIONS = 2400, 2100, 256
KEY = "words-16"
ONES = np.eye(DIMENSIONS, dtype=np.float32)
FOLLOWS = """
    select v.chunk_id, u.subject, levels_of(v.embedding)::text
    from vectors v join documents d using (tenant_id, document_id), unnest(d.audience) u (subject)
    where v.tenant_id = $1 and not names_many(d.audience)"""
KEPT = "select chunk_id, subject, levels::text from subject_vectors where tenant_id = $1"


def near(vectors: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Vectors of unit length, each near to one of these."""
    chosen = np.random.default_rng(seed)
    found = vectors[chosen.integers(len(vectors), size=count)]
    found = found + chosen.standard_normal((count, DIMENSIONS)) / DIMENSIONS**0.5
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
async def large(database: Database, make_collection, put) -> tuple[Scope, UUID, np.ndarray, UUID]:
    """A collection with an index of its own, and a group that most of its documents name, each by its own list."""
    vectors = near(np.random.default_rng(3).standard_normal((40, DIMENSIONS)) / DIMENSIONS**0.5, SIZE, 4)
    tenant = Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")
    collection, group = await make_collection(tenant, "docs"), uuid4()
    documents = await put(tenant, collection, [f"text {n}" for n in range(SIZE)], None, vectors)
    await name(database, tenant, documents[:NAMED], [group])
    await name(database, tenant, documents[NAMED:], [])
    while await fold_statistics(database):
        pass
    async with database.owner() as owner:
        await owner.execute("analyze knowlog.vectors, knowlog.subject_vectors, knowlog.documents")
    await graduate_large_collections(database, at_least=SIZE)
    return tenant, collection, vectors, group


async def name(database: Database, scope: Scope, documents: Sequence[UUID], audience: Sequence[UUID]) -> None:
    """Give documents a list."""
    async with database.transaction(scope) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = any($1)", documents, audience
        )


async def as_definer(database: Database, statement: str, *given: object) -> list[tuple[object, ...]]:
    """What a statement finds that no policy binds."""
    async with database.owner() as owner, owner.transaction():
        await owner.execute("set local role knowlog_definer; set local search_path = knowlog, public")
        return sorted(map(tuple, await owner.fetch(statement, *given)))


async def in_step(database: Database, scope: Scope) -> int:
    """Require that each vector is kept once for each subject that its document names; returns how many there are."""
    kept = await as_definer(database, KEPT, scope.tenant_id)
    assert kept == await as_definer(database, FOLLOWS, scope.tenant_id)
    return len(kept)


async def search(
    database: Database, store: VectorStore, scope: Scope, query: VectorQuery
) -> dict[int, float]:
    """The dense leg, in a transaction of its own."""
    async with database.transaction(scope) as connection:
        return dict(await store.search(connection, scope.tenant_id, query))


async def called(database: Database, scope: Scope, query: VectorQuery) -> set[str]:
    """The functions of ours that the dense leg calls."""
    async with database.owner() as connection:
        await connection.execute("set track_functions = 'all'")
        await connection.execute(pool._begin(pool._BEGIN_TENANT, scope))
        await connection.fetch(
            "select * from dense_search($1, $2, $3::text::halfvec, 10, null, false)",
            list(query.collections), query.embedding_key, str(query.vector.tolist()),
        )  # fmt: skip
        rows = await connection.fetch("select funcname from pg_stat_xact_user_functions")
        await connection.execute("rollback")
    return {row["funcname"] for row in rows}


async def test_the_nearest_of_many_are_found_by_their_levels(database, large, store) -> None:
    """Nearly all that an exact scan finds, with the same scores; and of what is kept nothing else."""
    tenant, collection, vectors, group = large
    bob = replace(tenant, subjects=frozenset([group, uuid4()]))
    recall = []
    for vector in near(vectors, 40, 5):
        query = VectorQuery((collection,), KEY, vector, 10)
        found = await search(database, store, bob, query)
        exact = await search(database, store, bob, replace(query, exact=True))
        recall.append(len(found.keys() & exact.keys()) / 10)
        assert all(found[each] == exact[each] for each in found.keys() & exact.keys())
    assert np.mean(recall) >= 0.99
    assert "alike" in await called(database, bob, query)


async def test_what_is_kept_for_somebody_by_mistake_is_not_shown(database, large, store) -> None:
    """The lists say what may be seen; the levels say what is worth a look."""
    tenant, collection, vectors, group = large
    bob = replace(tenant, subjects=frozenset([group]))
    query = VectorQuery((collection,), KEY, vectors[-1], 10)
    before = await search(database, store, bob, query)
    nearest, *_ = await search(database, store, tenant, query)
    planted = await as_definer(
        database,
        "insert into subject_vectors select v.tenant_id, $2, v.collection_id, v.embedding_key, v.chunk_id,"
        " levels_of(v.embedding) from vectors v join documents d using (tenant_id, document_id)"
        " where v.tenant_id = $1 and d.audience = '{}' returning chunk_id",
        tenant.tenant_id,
        group,
    )
    found = await search(database, store, bob, query)
    await as_definer(
        database,
        "delete from subject_vectors where tenant_id = $1 and chunk_id = any($2) returning 1",
        tenant.tenant_id,
        [chunk_id for (chunk_id,) in planted],
    )
    assert (nearest,) in planted
    assert found == before


async def test_a_list_that_changes_holds_in_the_next_search(database, large, store) -> None:
    """A grant adds the document's vectors, taking it back removes them, and nothing else moves."""
    tenant, collection, vectors, group = large
    charlie = replace(tenant, subjects=frozenset([uuid4()]))
    query = VectorQuery((collection,), KEY, vectors[7], 10)
    async with database.transaction(tenant) as connection:
        document = await connection.fetchval(
            "select document_id from documents where audience = '{}' limit 1"
        )
    for audience, shown in (([*charlie.subjects, group], 1), ([group], 0), ([*charlie.subjects], 1), ([], 0)):
        await name(database, tenant, [document], audience)
        assert len(await search(database, store, charlie, query)) == shown
        await in_step(database, tenant)


async def test_a_list_that_names_many_costs_no_copies(database, large, store) -> None:
    """The vectors are not kept for each of them, whether list or vectors come first; who is named finds the document."""
    tenant, collection, vectors, group = large
    bob, many = replace(tenant, subjects=frozenset([group])), [uuid4() for _ in range(8)]
    query = VectorQuery((collection,), KEY, vectors[11], 10)
    before = await search(database, store, bob, query)
    chunk, *_ = before
    async with database.transaction(tenant) as connection:
        document = await connection.fetchval("select document_id from chunks where chunk_id = $1", chunk)
    kept = await in_step(database, tenant)
    await name(database, tenant, [document], [group, *many])
    assert await in_step(database, tenant) == kept - 1
    async with database.transaction(tenant) as connection:
        written = VectorRow(chunk, collection, document, uuid4())
        await store.write(connection, tenant.tenant_id, KEY, [written], vectors[11:12])
    assert await in_step(database, tenant) == kept - 1
    assert await search(database, store, bob, query) == before
    for audience, more in ((many, 7), ([group, *many], -1), ([group], 0)):
        await name(database, tenant, [document], audience)
        assert await in_step(database, tenant) == kept + more
    assert (
        await as_definer(database, "select 1 from widely_named where tenant_id = $1", tenant.tenant_id) == []
    )


async def test_a_list_that_changes_while_old_vectors_are_dropped_is_taken(
    database, tenant, collection, put, store
) -> None:
    """After a change of the model old vectors go, without the document: who gives a list meanwhile is not refused."""
    (document,) = await put(tenant, collection, ["a plan", "a pump"], None, ONES[:2], 2)
    await name(database, tenant, [document], [uuid4()])
    dropped, done = asyncio.Event(), asyncio.Event()

    async def drop() -> None:
        async with database.transaction(tenant) as connection:
            assert await store.drop_others(connection, tenant.tenant_id, collection, "words-17", 10) == 2
            dropped.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await done.wait()

    running = asyncio.create_task(drop())
    await dropped.wait()
    async with database.transaction(tenant) as connection:
        await connection.execute("update documents set audience = audience || $1::uuid", uuid4())
    done.set()
    await running
    assert await in_step(database, tenant) == 0


async def test_vectors_that_are_written_anew_or_go_are_followed(
    database, tenant, collection, put, store
) -> None:
    """A new vector has new levels; with a vector, with its chunk and with its document, they are gone."""
    documents = await put(tenant, collection, ["a plan", "a pump", "a mine"], None, ONES[:3])
    await name(database, tenant, documents, [uuid4(), uuid4()])
    assert await in_step(database, tenant) == 6
    async with database.transaction(tenant) as connection:
        chunk = await connection.fetchval("select chunk_id from chunks where document_id = $1", documents[0])
        row = VectorRow(chunk, collection, documents[0], uuid4())
        await store.write(connection, tenant.tenant_id, KEY, [row], -ONES[:1])
    assert await in_step(database, tenant) == 6
    async with database.transaction(tenant) as connection:
        await store.delete_documents(connection, tenant.tenant_id, documents[:1])
        await remove_chunks(connection, store, tenant.tenant_id, documents[1:2])
        await connection.execute("delete from documents where document_id = $1", documents[2])
    assert await in_step(database, tenant) == 0


@pytest.mark.parametrize("first", ["vectors", "list"])
async def test_a_list_that_changes_while_vectors_are_written_is_followed(
    database, tenant, collection, put, store, first: str
) -> None:
    """Whichever of the two transactions comes first, the other one waits for it."""
    (document,) = await put(tenant, collection, ["a plan"], None, ONES[:1])
    await name(database, tenant, [document], [uuid4()])
    async with database.transaction(tenant) as connection:
        chunk = await connection.fetchval("select chunk_id from chunks")
    begun, done = asyncio.Event(), asyncio.Event()

    async def write(wait: bool) -> None:
        async with database.transaction(tenant) as connection:
            row = VectorRow(chunk, collection, document, uuid4())
            await store.write(connection, tenant.tenant_id, "other", [row], ONES[1:2])
            await rest(wait)

    async def change(wait: bool) -> None:
        async with database.transaction(tenant) as connection:
            await connection.execute("update documents set audience = $1", [uuid4()])
            await rest(wait)

    async def rest(wait: bool) -> None:
        begun.set()
        if wait:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await done.wait()

    earlier, later = (write, change) if first == "vectors" else (change, write)
    running = asyncio.create_task(earlier(True))
    await begun.wait()
    await later(False)
    done.set()
    await running
    assert await in_step(database, tenant) == 2
