"""Search stays fast under the policies: the plans, and what an approximate index misses."""

from dataclasses import replace
from uuid import UUID

import numpy as np
import pytest

import own_server
from knowlog.database import Database, Scope
from knowlog.stores import (
    LexicalQuery,
    VectorQuery,
    VectorStore,
    fold_statistics,
    graduate_large_collections,
    lexical_search,
    parse_filter,
    term_statistics,
)
from knowlog.tenants import create_tenant

server_dir, database = (
    own_server.server_dir,
    own_server.database,
)  # plans follow from what others leave in the tables
SIZE = 3000
NOTICES = """
    load 'auto_explain'; set auto_explain.log_min_duration = 0; set auto_explain.log_nested_statements = on;
    set auto_explain.log_level = notice; set client_min_messages = notice
"""


@pytest.fixture(scope="module")
def words() -> list[str]:
    """Some 20,000 words: a few frequent, most of them rare."""
    chosen = np.random.default_rng(7)
    ranks = np.minimum(chosen.zipf(1.3, (SIZE, 30)), 20_000)
    return [" ".join(f"w{rank}" for rank in row) for row in ranks]


@pytest.fixture(scope="module")
async def filled(database: Database, make_collection, put, words) -> tuple[Scope, UUID, np.ndarray]:
    """Alice's collection of 3,000 chunks, and its vectors; strangers have twice as many."""
    chosen = np.random.default_rng(8)
    centres = chosen.standard_normal((60, 16))
    vectors = centres[chosen.integers(60, size=SIZE)] + 0.5 * chosen.standard_normal((SIZE, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    for name in ("charlie", "dora", "alice"):
        tenant = Scope((await create_tenant(database, name)).tenant_id, f"key:{name}")
        collection = await make_collection(tenant, "docs")
        await put(tenant, collection, words, [{"n": n} for n in range(SIZE)], vectors)
    while await fold_statistics(database):
        pass
    async with database.owner() as connection:
        await connection.execute("analyze knowlog.chunk_terms, knowlog.vectors, knowlog.documents")
    return tenant, collection, vectors


async def plan_inside(database: Database, tenant: Scope, statement: str, *arguments: object) -> str:
    """The plans of the statements that a function runs, as the application's role gets them."""
    heard: list[str] = []
    async with database.owner() as connection:
        await connection.execute(NOTICES)
        connection.add_log_listener(lambda _c, message: heard.append(str(message)))
        await connection.execute(
            "begin; set local role knowlog_app; set local search_path = knowlog, public, pg_catalog;"
            f" set local knowlog.tenant = '{tenant.tenant_id}'; set local knowlog.subjects = '*'"
        )
        await connection.fetch(statement, *arguments)
        await connection.execute("rollback")
    return "\n".join(heard)


async def test_the_lexical_leg_uses_its_index(database, filled, words) -> None:
    """Inside the function the policy does not forbid it, and no table is read from end to end."""
    tenant, collection, _ = filled
    async with database.transaction(tenant) as connection:
        found = await term_statistics(connection, [collection], words[0])
    rare = [each for each in found.terms if 0 < each.holding < 20]
    plan = await plan_inside(
        database, tenant,
        "select * from lexical_search(array[$1::uuid], $2::integer[], $3::real[], $4::bigint[],"
        " '{1:1}/1000000000', 100, true, null)",
        collection, [each.terms[0] for each in rare], [each.weight for each in rare],
        [each.holding for each in rare],
    )  # fmt: skip
    assert "Bitmap Index Scan on chunk_terms_terms" in plan
    assert "Seq Scan on chunk_terms" not in plan


async def test_a_small_collection_is_scanned_by_its_own_range(database, filled) -> None:
    """Not by reading everybody's vectors."""
    tenant, collection, vectors = filled
    plan = await dense_plan(database, tenant, collection, vectors[0])
    assert "vectors_pkey" in plan
    assert "Seq Scan on vectors" not in plan


async def test_looking_for_large_collections_reads_no_table_from_end_to_end(database, filled) -> None:
    """Not even where all vectors are one collection's, so that the first row that is met would do."""
    counted = "select seq_scan from pg_stat_xact_user_tables where relid = 'knowlog.vectors'::regclass"
    async with database.owner() as connection:
        await connection.execute("begin")
        await connection.execute("delete from knowlog.vectors where collection_id <> $1", filled[1])
        await connection.execute("analyze knowlog.vectors")
        before = await connection.fetchval(counted)
        await connection.execute("set local role knowlog_system")
        found = await connection.fetch("select * from knowlog.large_collections($1)", SIZE)
        await connection.execute("reset role")
        after = await connection.fetchval(counted)
        await connection.execute("rollback")
    assert [(row["embedding_key"], row["dimensions"]) for row in found] == [("words-16", 16)]
    assert after == before


async def dense_plan(database: Database, tenant: Scope, collection: UUID, vector: np.ndarray) -> str:
    """The plan of the dense leg."""
    return await plan_inside(
        database, tenant,
        "select * from dense_search(array[$1::uuid], 'words-16', $2::text::halfvec, 10, null, false)",
        collection, str([float(x) for x in vector]),
    )  # fmt: skip


@pytest.fixture(scope="module")
async def near_index(database: Database, filled: tuple[Scope, UUID, np.ndarray]) -> str:
    """The index of alice's collection, from here on until a test has it dropped."""
    built = await graduate_large_collections(database, at_least=SIZE)
    return next(name for name in built if filled[1].hex in name)


async def test_what_is_gone_hides_nothing(database, filled, near_index, store: VectorStore) -> None:
    """All that the index reaches first was deleted, and is not swept up yet: it is asked for what lies behind."""
    tenant, collection, vectors = filled
    query = VectorQuery((collection,), "words-16", vectors[0], 100)
    async with database.transaction(tenant) as connection:
        await connection.execute("savepoint whole")
        for _ in range(3):
            nearest = await store.search(connection, tenant.tenant_id, query)
            await connection.execute(
                "delete from vectors where chunk_id = any($1)", [hit.chunk_id for hit in nearest]
            )
        found, exact = [
            {hit.chunk_id for hit in await store.search(connection, tenant.tenant_id, each)}
            for each in (query, replace(query, exact=True))
        ]
        await connection.execute("rollback to whole")
    assert len(found & exact) >= 99


async def test_one_walk_through_the_index_is_enough(database, filled, near_index) -> None:
    """Where nothing is gone and nothing narrows."""
    tenant, collection, vectors = filled
    plan = await dense_plan(database, tenant, collection, vectors[0])
    assert plan.count(f"using {near_index}") == 1


async def test_a_large_collection_graduates_to_an_index_and_keeps_its_recall(
    database, filled, near_index, store: VectorStore
) -> None:
    """The index is built beside the traffic, used under the policies, exact enough, dropped in the end."""
    tenant, collection, vectors = filled
    assert await graduate_large_collections(database, at_least=SIZE) == []
    assert f"using {near_index}" in await dense_plan(database, tenant, collection, vectors[0])
    async with database.transaction(tenant) as connection:

        async def found(vector: np.ndarray, **more: object) -> list[int]:
            query = VectorQuery((collection,), "words-16", vector, 10, **more)
            return [hit.chunk_id for hit in await store.search(connection, tenant.tenant_id, query)]

        recall = [
            len(set(await found(v)) & set(await found(v, exact=True))) / 10 for v in vectors[:: SIZE // 100]
        ]
        assert np.mean(recall) >= 0.99
        for given in ({"n": {"lt": 25}}, {"n": {"gte": 0}}):
            narrow = parse_filter(given)
            assert await found(vectors[0], filter=narrow) == await found(
                vectors[0], filter=narrow, exact=True
            )
    assert await graduate_large_collections(database, at_least=3 * SIZE) == []
    assert f"using {near_index}" not in await dense_plan(database, tenant, collection, vectors[0])


async def test_pruning_keeps_the_best(database, filled, words) -> None:
    """The ten best of a pruned search are those of one that scores everything."""
    tenant, collection, _ = filled
    same = []
    async with database.transaction(tenant) as connection:
        for text in words[:: SIZE // 50]:
            question = " ".join(text.split()[:8])
            statistics = await term_statistics(connection, [collection], question)
            pruned, whole = [
                {hit.chunk_id for hit in await lexical_search(connection, statistics, query)}
                for query in (LexicalQuery((collection,), 10), LexicalQuery((collection,), 10, prune=False))
            ]
            same.append(len(pruned & whole) / len(whole))
    assert np.mean(same) >= 0.99
