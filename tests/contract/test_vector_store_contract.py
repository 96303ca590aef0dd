"""What every vector store must do. A new adapter is added to STORES, and nothing else here changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from numpy.typing import NDArray

from knowlog.database import Database, Scope
from knowlog.kernel import new_id
from knowlog.stores import StoresSettings, VectorQuery, VectorRow, VectorStore, open_store, parse_filter
from knowlog.stores.registry import ADAPTERS

STORES = list(ADAPTERS)
KEY = "model-8"


def vector(*parts: float) -> NDArray[np.float32]:
    """A vector of unit length, 8 dimensions, the missing ones 0."""
    padded = np.array([*parts, *[0.0] * (8 - len(parts))], np.float32)
    return padded / np.linalg.norm(padded)


EAST, NORTH, NORTHEAST, WEST = vector(1), vector(0, 1), vector(1, 1), vector(-1)


@dataclass
class Bench:
    """A store, and a tenant's documents and chunks for it to hold vectors of."""

    store: VectorStore
    database: Database

    async def collection(self, scope: Scope) -> UUID:
        """A new collection of the tenant."""
        collection_id = new_id()
        async with self.database.transaction(scope) as connection:
            await connection.execute(
                "insert into collections (tenant_id, collection_id, name, profile)"
                " values (tenant(), $1, $2, '{}')",
                collection_id, str(collection_id),
            )  # fmt: skip
        return collection_id

    async def document(
        self,
        scope: Scope,
        collection_id: UUID,
        *vectors: NDArray[np.float32],
        key: str = KEY,
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[UUID, list[int], list[UUID]]:
        """A new document with a chunk for each vector. Returns its id, its chunks' ids and their hashes."""
        document_id, hashes = new_id(), [new_id() for _ in vectors]
        async with self.database.transaction(scope) as connection:
            await connection.execute(
                "insert into documents (tenant_id, document_id, collection_id, external_id, title,"
                " title_given, metadata, version, latest, state)"
                " values (tenant(), $1, $2, $3, '', false, $4, 1, 1, 'indexed')",
                document_id, collection_id, str(document_id), metadata or {},
            )  # fmt: skip
            await connection.execute(
                "insert into versions (tenant_id, document_id, version, blob, content_hash, size_bytes,"
                " filename) values (tenant(), $1, 1, '', '', 0, '')",
                document_id,
            )
            chunk_ids = [
                await connection.fetchval(
                    "insert into chunks (tenant_id, collection_id, document_id, version, ordinal,"
                    " start_offset, end_offset, headings, text)"
                    " values (tenant(), $1, $2, 1, $3, 0, 1, '{}', 'x') returning chunk_id",
                    collection_id,
                    document_id,
                    ordinal,
                )
                for ordinal in range(len(vectors))
            ]
            rows = [
                VectorRow(chunk_id, collection_id, document_id, digest, metadata or {})
                for chunk_id, digest in zip(chunk_ids, hashes, strict=True)
            ]
            await self.store.write(connection, scope.tenant_id, key, rows, np.array(vectors))
        return document_id, chunk_ids, hashes

    async def nearest(
        self, scope: Scope, *collections: UUID, to: NDArray[np.float32] = EAST, **more: Any
    ) -> list[int]:
        """The chunk ids that a search returns."""
        query = VectorQuery(collections, more.pop("key", KEY), to, more.pop("most", 10), **more)
        async with self.database.transaction(scope) as connection:
            return [hit.chunk_id for hit in await self.store.search(connection, scope.tenant_id, query)]


@pytest.fixture(params=STORES)
async def bench(request: pytest.FixtureRequest, database: Database) -> Bench:
    """One adapter after the other."""
    return Bench(open_store(StoresSettings(vectors=request.param)), database)


@pytest.fixture
async def collection(bench: Bench, tenant: Scope) -> UUID:
    """Alice's collection."""
    return await bench.collection(tenant)


async def test_the_nearest_come_first(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """By cosine similarity, opposite directions last."""
    _, (west, north, east, between), _ = await bench.document(
        tenant, collection, WEST, NORTH, EAST, NORTHEAST
    )
    assert await bench.nearest(tenant, collection) == [east, between, north, west]


async def test_scores_are_cosine_similarities(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """To within half precision."""
    await bench.document(tenant, collection, EAST, NORTHEAST, WEST)
    async with bench.database.transaction(tenant) as connection:
        query = VectorQuery((collection,), KEY, EAST, 10)
        hits = await bench.store.search(connection, tenant.tenant_id, query)
    assert [hit.score for hit in hits] == pytest.approx([1, 0.5**0.5, -1], abs=1e-3)


async def test_most_limits_and_ties_go_by_chunk_id(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """The same question has the same answer."""
    _, ids, _ = await bench.document(tenant, collection, EAST, EAST, EAST)
    assert await bench.nearest(tenant, collection, most=2) == ids[:2]


async def test_only_the_collections_asked_for(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """Others of the same tenant stay out."""
    other = await bench.collection(tenant)
    _, mine, _ = await bench.document(tenant, collection, NORTH)
    _, others, _ = await bench.document(tenant, other, EAST)
    assert await bench.nearest(tenant, collection) == mine
    assert await bench.nearest(tenant, collection, other) == others + mine
    assert await bench.nearest(tenant) == []


async def test_a_stranger_finds_counts_and_deletes_nothing(
    bench: Bench, tenant: Scope, other_tenant: Scope, collection: UUID
) -> None:
    """Even one who knows every id."""
    document, ids, hashes = await bench.document(tenant, collection, EAST)
    assert await bench.nearest(other_tenant, collection) == []
    stranger = other_tenant.tenant_id
    async with bench.database.transaction(other_tenant) as connection:
        query = VectorQuery((collection,), KEY, EAST, 10)
        assert await bench.store.score(connection, stranger, query, ids) == {}
        assert await bench.store.count(connection, stranger, collection, KEY) == 0
        assert await bench.store.known_vectors(connection, stranger, KEY, hashes) == {}
        assert await bench.store.delete_documents(connection, stranger, [document]) == 0
    assert await bench.nearest(tenant, collection) == ids


async def test_vectors_of_another_model_are_never_compared(
    bench: Bench, tenant: Scope, collection: UUID
) -> None:
    """A key has its own space."""
    await bench.document(tenant, collection, EAST, key="other-8")
    _, ids, _ = await bench.document(tenant, collection, WEST)
    assert await bench.nearest(tenant, collection) == ids


async def test_the_filter_is_applied_before_ranking(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """The best of those that pass, however many better ones do not."""
    for _ in range(5):
        await bench.document(tenant, collection, EAST, metadata={"year": 2020})
    _, ids, _ = await bench.document(tenant, collection, NORTH, metadata={"year": 2023})
    wanted = parse_filter({"year": {"gt": 2020}})
    assert await bench.nearest(tenant, collection, most=1, filter=wanted) == ids


@pytest.mark.parametrize(
    "given",
    [
        {"year": 2023}, {"year": {"gte": 2023}}, {"team": ["a", "b"]}, {"tags": "red"}, {"draft": False},
        {"owner": None}, {"gone": {"exists": False}}, {"team": {"not": "c"}}, {"year": {"not": "2023"}},
        {"tags": {"not": ["blue", 7]}}, {"site.city": "Oslo"}, {"date": {"lt": "2023-06"}},
        {"odd": 'a"\\\' ö\n'},
        {"year": "2023"}, {"tags": "blue"}, {"draft": 0}, {"gone": None}, {"year": {"gt": "2022"}},
        {"team": {"not": "a"}},
    ],
)  # fmt: skip
async def test_the_filter_means_the_same_everywhere(
    bench: Bench, tenant: Scope, collection: UUID, given: dict[str, Any]
) -> None:
    """What the language says, every store does."""
    metadata = {
        "year": 2023, "team": "a", "tags": ["red", "green"], "draft": False, "owner": None,
        "date": "2023-05-01",
        "site": {"city": "Oslo"}, "odd": 'a"\\\' ö\n',
    }  # fmt: skip
    _, ids, _ = await bench.document(tenant, collection, EAST, metadata=metadata)
    wanted = parse_filter(given)
    assert wanted is not None
    expected = ids if wanted.matches(metadata) else []
    assert await bench.nearest(tenant, collection, filter=wanted) == expected


async def test_writing_again_replaces(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """A chunk has one vector for a key."""
    document, (chunk,), (digest,) = await bench.document(tenant, collection, WEST)
    async with bench.database.transaction(tenant) as connection:
        row = VectorRow(chunk, collection, document, digest)
        await bench.store.write(connection, tenant.tenant_id, KEY, [row], np.array([EAST]))
        query = VectorQuery((collection,), KEY, EAST, 10)
        hits = await bench.store.search(connection, tenant.tenant_id, query)
        assert await bench.store.count(connection, tenant.tenant_id, collection, KEY) == 1
    assert [(hit.chunk_id, round(hit.score, 2)) for hit in hits] == [(chunk, 1.0)]


async def test_score_gives_the_similarity_of_any_chunk(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """Exactly, also of those that a search would not return; unknown ones are left out."""
    _, (east, west), _ = await bench.document(tenant, collection, EAST, WEST)
    async with bench.database.transaction(tenant) as connection:
        query = VectorQuery((collection,), KEY, EAST, 1)
        scores = await bench.store.score(connection, tenant.tenant_id, query, [west, east, 2**60])
    assert scores == {east: pytest.approx(1, abs=1e-3), west: pytest.approx(-1, abs=1e-3)}


async def test_vectors_of_chunks_are_those_of_the_tenant_collection_and_key(
    bench: Bench, tenant: Scope, other_tenant: Scope, collection: UUID
) -> None:
    """Nobody gets a vector by the number of a chunk alone."""
    _, (_, north), _ = await bench.document(tenant, collection, EAST, NORTH)
    _, (elsewhere,), _ = await bench.document(tenant, await bench.collection(tenant), WEST)
    query = VectorQuery((collection,), KEY, EAST, 1)
    for scope, asked, known in (
        (tenant, query, {north}),
        (other_tenant, query, set()),
        (tenant, VectorQuery((collection,), "another", EAST, 1), set()),
    ):
        async with bench.database.transaction(scope) as connection:
            found = await bench.store.vectors(connection, scope.tenant_id, asked, [north, elsewhere])
        assert set(found) == known
        assert all(np.allclose(vector, NORTH, atol=1e-3) for vector in found.values())


async def test_deleting_documents_removes_all_their_vectors(
    bench: Bench, tenant: Scope, collection: UUID
) -> None:
    """Under every key, and nobody else's."""
    gone, _, _ = await bench.document(tenant, collection, EAST, NORTH)
    _, kept, _ = await bench.document(tenant, collection, WEST)
    async with bench.database.transaction(tenant) as connection:
        assert await bench.store.delete_documents(connection, tenant.tenant_id, [gone]) == 2
        assert await bench.store.delete_documents(connection, tenant.tenant_id, [gone]) == 0
    assert await bench.nearest(tenant, collection) == kept


async def test_known_vectors_are_those_of_the_same_text_and_key(
    bench: Bench, tenant: Scope, collection: UUID
) -> None:
    """So that no text is embedded twice."""
    _, _, (digest,) = await bench.document(tenant, collection, NORTHEAST)
    async with bench.database.transaction(tenant) as connection:
        known = await bench.store.known_vectors(connection, tenant.tenant_id, KEY, [digest, new_id()])
        assert await bench.store.known_vectors(connection, tenant.tenant_id, "other-8", [digest]) == {}
    assert list(known) == [digest]
    assert known[digest] == pytest.approx(NORTHEAST, abs=1e-3)


async def test_an_empty_store_answers(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """With nothing."""
    assert await bench.nearest(tenant, collection) == []


async def test_a_store_says_which_chunks_have_a_vector(bench: Bench, tenant: Scope, collection: UUID) -> None:
    """Of one collection, under one key."""
    _, (one, two), _ = await bench.document(tenant, collection, EAST, NORTH)
    _, (three,), _ = await bench.document(tenant, collection, EAST, key="another")
    async with bench.database.transaction(tenant) as connection:
        asked = (connection, tenant.tenant_id, collection)
        assert await bench.store.holding(*asked, KEY, [one, two, three]) == {one, two}
        assert await bench.store.holding(*asked, "another", [one, three]) == {three}


async def test_vectors_under_other_keys_go_a_share_at_a_time(
    bench: Bench, tenant: Scope, other_tenant: Scope, collection: UUID
) -> None:
    """Those of the key that stays, of other collections and other tenants do not."""
    await bench.document(tenant, collection, EAST, NORTH)
    for key in ("a-key", "z-key"):
        await bench.document(tenant, collection, EAST, NORTH, WEST, key=key)
    elsewhere, theirs = await bench.collection(tenant), await bench.collection(other_tenant)
    await bench.document(tenant, elsewhere, EAST, key="a-key")
    await bench.document(other_tenant, theirs, EAST, key="a-key")
    dropped = []
    async with bench.database.transaction(tenant) as connection:
        asked = (connection, tenant.tenant_id)
        while not dropped or dropped[-1]:
            dropped.append(await bench.store.drop_others(*asked, collection, KEY, 4))
        assert dropped == [4, 2, 0]
        assert await bench.store.count(*asked, collection, KEY) == 2
        assert await bench.store.count(*asked, elsewhere, "a-key") == 1
    async with bench.database.transaction(other_tenant) as connection:
        assert await bench.store.count(connection, other_tenant.tenant_id, theirs, "a-key") == 1
