"""Lists are part of the search: both legs rank what may be seen, as if there were nothing else."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg
import numpy as np
import pytest

from knowlog.database import Database, Scope, load_queries, pool
from knowlog.retrieval import Search, retrieve
from knowlog.stores import (
    LexicalQuery,
    VectorQuery,
    VectorRow,
    VectorStore,
    fold_statistics,
    graduate_large_collections,
    lexical_search,
    term_statistics,
)
from knowlog.stores.adapters.memory import MemoryStore
from knowlog.tenants import create_tenant

SIZE = 3000
TABLES = ["documents", "versions", "chunks", "chunk_terms", "vectors"]


async def limit(
    database: Database, scope: Scope, documents: Sequence[UUID], subjects: Sequence[UUID]
) -> None:
    """Give documents a list."""
    async with database.transaction(scope) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = any($1)", list(documents), list(subjects)
        )


@pytest.mark.parametrize("table", TABLES)
async def test_no_query_can_forget_the_lists(
    database, tenant, collection, put, make_collection, table: str
) -> None:
    """A plain SELECT, UPDATE or DELETE by the application's role touches what may be seen, in every table."""
    group = uuid4()
    hidden, open_ = await put(tenant, collection, ["secret plans", "open plans"])
    await limit(database, tenant, [hidden], [group])
    for subjects, seen in (((), {open_}), ((group,), {hidden, open_}), (None, {hidden, open_})):
        scope = replace(tenant, subjects=None if subjects is None else frozenset(subjects))
        async with database.transaction(scope) as connection:
            rows = await connection.fetch(f"select document_id from {table}")
            assert {row["document_id"] for row in rows} == seen
    async with database.transaction(replace(tenant, subjects=frozenset())) as connection:
        gone = await connection.execute(f"delete from {table} where document_id = $1", hidden)
    assert gone == "DELETE 0"


async def test_with_no_subjects_named_every_query_fails(database, tenant, collection, put) -> None:
    """As with no tenant: nothing is shown by oversight."""
    await put(tenant, collection, ["plans"])
    async with database.owner() as connection:
        await connection.execute(
            f"begin; set local role knowlog_app; set local knowlog.tenant = '{tenant.tenant_id}'"
        )
        with pytest.raises(asyncpg.PostgresError):
            await connection.fetch("select * from knowlog.documents")
        await connection.execute("rollback")


async def test_a_canary_changes_no_score(database, tenant, collection, put, store, embedder) -> None:
    """The words of a document that one may not see count nowhere: neither do their number nor its length."""
    bob = replace(tenant, subjects=frozenset())
    await put(tenant, collection, ["the canary sings in the mine", "a pump needs oil"])

    async def told(question: str) -> list[object]:
        found = await retrieve(database, bob, embedder, store, Search(question, (collection,)))
        return [*found.passages, found.statistics]

    before = await told("canary"), await told("pump oil")
    hidden = await put(tenant, collection, ["canary " * 30, "canary and pump", "pump oil " * 200])
    await limit(database, tenant, hidden, [uuid4()])
    assert (await told("canary"), await told("pump oil")) == before


@pytest.mark.parametrize("kind", ["pgvector", "memory"])
async def test_every_store_ranks_what_may_be_seen(
    database, tenant, collection, put, store, embedder, kind
) -> None:
    """Also one outside the database: what is hidden takes nobody's place."""
    chosen: VectorStore = store if kind == "pgvector" else MemoryStore()
    group = uuid4()
    documents = await put(tenant, collection, [f"plan number {n}" for n in range(20)])
    async with database.transaction(tenant) as connection:
        if kind == "memory":
            rows = await connection.fetch("select chunk_id, collection_id, document_id from chunks")
            known = [VectorRow(*row, uuid4()) for row in rows]
            vectors = np.array([embedder.embed(f"plan number {n}") for n in range(20)])
            await chosen.write(connection, tenant.tenant_id, "words-16", known, vectors)
    await limit(database, tenant, documents[:15], [group])
    query = VectorQuery((collection,), "words-16", embedder.embed("plan number 3"), 10)
    for subjects, count in ((frozenset(), 5), (frozenset([group]), 10)):
        scope = replace(tenant, subjects=subjects)
        async with database.transaction(scope) as connection:
            assert len(await chosen.search(connection, tenant.tenant_id, query)) == count


BY_ID = ("documents_by_id", "document_access", "version_blob", "version_text")
_STATEMENTS = load_queries("knowlog.documents") | load_queries("knowlog.documents", "access.sql")


async def spent(
    database: Database, scope: Scope, statement: str, *given: object
) -> tuple[dict[str, int], int]:
    """What a statement costs in a transaction of `scope`: calls of our functions, and blocks that are looked at."""
    async with database.owner() as connection:
        await connection.execute("set track_functions = 'all'")
        await connection.execute(pool._begin(pool._BEGIN_TENANT, scope))
        told = await connection.fetchval(f"explain (analyze, buffers, format json) {statement}", *given)
        calls = await connection.fetch("select funcname, calls from pg_stat_xact_user_functions order by 1")
        await connection.execute("rollback")
    plan = json.loads(told)[0]["Plan"]
    return dict(calls), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@pytest.mark.parametrize("closed", ["document", "collection"])
@pytest.mark.parametrize("name", BY_ID)
async def test_what_is_hidden_is_looked_up_by_the_work_of_what_is_absent(
    database, tenant, collection, put, name: str, closed: str
) -> None:
    """No function is called for having found it, and few blocks are read: the time of an answer tells nothing."""
    (document,) = await put(tenant, collection, ["secret plans"])
    async with database.transaction(tenant) as connection:
        await connection.execute(
            f"update {closed}s set audience = '{{}}' where collection_id = $1", collection
        )
    bob = replace(tenant, subjects=frozenset(uuid4() for _ in range(5)))
    more: dict[str, tuple[object, ...]] = {
        "version_blob": (1,),
        "version_text": (1, 0, 9),
        "documents_by_id": (None,),
    }
    hidden, absent = [
        await spent(
            database,
            bob,
            _STATEMENTS[name],
            [each] if name == "documents_by_id" else each,
            *more.get(name, ()),
        )
        for each in (document, uuid4())
    ]
    assert hidden[0] == absent[0]
    assert 0 <= hidden[1] - absent[1] <= 24  # the plan changes a little with the size of the tables


@pytest.fixture(scope="module")
async def shared(database: Database, make_collection, put) -> tuple[Scope, UUID, np.ndarray, dict[int, UUID]]:
    """3,000 documents with an index of their own; groups that see 1 %, 10 % and 50 % of them."""
    chosen = np.random.default_rng(11)
    centres = chosen.standard_normal((60, 16))
    vectors = centres[chosen.integers(60, size=SIZE)] + 0.5 * chosen.standard_normal((SIZE, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    ranks = np.minimum(chosen.zipf(1.3, (SIZE, 30)), 20_000)
    texts = [" ".join(f"w{rank}" for rank in row) for row in ranks]
    tenant = Scope((await create_tenant(database, "alice")).tenant_id, "key:alice")
    collection = await make_collection(tenant, "docs")
    documents = await put(tenant, collection, texts, None, vectors)
    groups = {percent: uuid4() for percent in (1, 10, 50)}
    order = chosen.permutation(SIZE)
    async with database.transaction(tenant) as connection:
        await connection.execute("update documents set audience = '{}'")
        for percent, group in groups.items():
            named = [documents[n] for n in order[: SIZE * percent // 100]]
            await connection.execute(
                "update documents set audience = audience || $2::uuid where document_id = any($1)",
                named,
                group,
            )
    while await fold_statistics(database):
        pass
    async with database.owner() as connection:
        await connection.execute("analyze knowlog.chunk_terms, knowlog.vectors, knowlog.documents")
    await graduate_large_collections(database, at_least=SIZE)
    return tenant, collection, vectors, groups


WAYS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "few": {},
    "many": {
        "dense_search": ("few constant integer := 12000", "few constant integer := 20"),
        "lexical_search": (
            "all_below constant integer := 6000;\n    few constant integer := 12000",
            "all_below constant integer := 20;\n    few constant integer := 20",
        ),
    },
}


@pytest.fixture(params=WAYS)
async def amount(request: pytest.FixtureRequest, database: Database) -> AsyncIterator[str]:
    """Whether what is seen counts as few, and is looked at one by one, or as many, for the indexes."""
    changes = WAYS[request.param]
    await _redefine(database, changes)
    yield request.param
    await _redefine(database, {name: (new, old) for name, (old, new) in changes.items()})


async def _redefine(database: Database, changes: Mapping[str, tuple[str, str]]) -> None:
    async with database.owner() as owner:
        for name, (old, new) in changes.items():
            text = await owner.fetchval("select pg_get_functiondef(('knowlog.' || $1)::regproc)", name)
            assert old in text
            await owner.execute(text.replace(old, new))


@pytest.mark.parametrize("percent", [1, 10, 50])
async def test_the_dense_leg_keeps_its_recall(database, shared, store, amount, percent: int) -> None:
    """For those who see little and those who see much."""
    tenant, collection, vectors, groups = shared
    scope = replace(tenant, subjects=frozenset([groups[percent]]))
    async with database.transaction(scope) as connection:

        async def found(vector: np.ndarray, **more: object) -> list[int]:
            query = VectorQuery((collection,), "words-16", vector, 10, **more)
            return [hit.chunk_id for hit in await store.search(connection, tenant.tenant_id, query)]

        recall = [
            len(set(await found(v)) & set(await found(v, exact=True))) / 10 for v in vectors[:: SIZE // 50]
        ]
        assert np.mean(recall) >= 0.99
        assert await found(vectors[0], enough=5) == (await found(vectors[0]))[: 10 if amount == "few" else 5]


async def test_what_a_transaction_noted_shows_nothing_that_was_taken_back(
    database, shared, store, amount
) -> None:
    """That much may be seen is noted by the first search; a list that changes meanwhile holds in the second."""
    tenant, collection, vectors, groups = shared
    scope = replace(tenant, subjects=frozenset([groups[50]]))
    query = VectorQuery((collection,), "words-16", vectors[7], 10)
    async with database.transaction(scope) as connection:
        nearest = (await store.search(connection, tenant.tenant_id, query))[0].chunk_id
        document, named = await connection.fetchrow(
            "select document_id, audience from chunks join documents using (tenant_id, document_id) where chunk_id = $1",
            nearest,
        )
        await limit(database, tenant, [document], [groups[1]])
        found = await store.search(connection, tenant.tenant_id, query)
    await limit(database, tenant, [document], named)
    assert nearest not in {hit.chunk_id for hit in found}
    assert len(found) == 10


async def test_words_are_told_coarsely_and_read_in_the_order_of_how_rare_they_are(database, shared) -> None:
    """To one who sees many chunks, but not all: no exact count is told, and none is mistaken by more than an eighth."""
    tenant, collection, _, groups = shared
    found = []
    for scope in (tenant, replace(tenant, subjects=frozenset([groups[50]]))):
        async with database.transaction(scope) as connection:
            found.append((await term_statistics(connection, [collection], "w1 w2 w3 w4 w7")).terms)
    for exact, told in zip(*found, strict=True):
        assert told.holding.bit_count() == 1 < exact.holding.bit_count()
        assert exact.holding <= told.postings <= exact.holding * 9 / 8


@pytest.mark.parametrize("percent", [1, 10, 50])
async def test_the_lexical_leg_finds_the_best_of_what_may_be_seen(
    database, shared, amount, percent: int
) -> None:
    """Those that score highest when every chunk is scored and what is hidden is left out."""
    tenant, collection, _, groups = shared
    scope = replace(tenant, subjects=frozenset([groups[percent]]))
    for question in ("w1 w2 w40", "w7 w300", "w3"):
        async with database.transaction(scope) as connection:
            statistics = await term_statistics(connection, [collection], question)
            pruned = await lexical_search(connection, statistics, LexicalQuery((collection,), 10))
            seen = {row["chunk_id"] for row in await connection.fetch("select chunk_id from chunks")}
        async with database.transaction(tenant) as connection:
            every = LexicalQuery((collection,), SIZE, prune=False)
            whole = [
                hit for hit in await lexical_search(connection, statistics, every) if hit.chunk_id in seen
            ]
        assert [hit.chunk_id for hit in pruned] == [hit.chunk_id for hit in whole[:10]]
