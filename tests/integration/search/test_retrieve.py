"""Question in, passages out, on a real database."""

import asyncio
from uuid import UUID

import pytest

from knowlog.database import Database, Scope
from knowlog.kernel.errors import Invalid, NotFound, Unavailable
from knowlog.resilience import within
from knowlog.retrieval import Passage, RetrievalProfile, Search, retrieve
from knowlog.stores import VectorStore, parse_filter, remove_chunks

TEXTS = [
    "The pump stops when the tank is empty.",
    "Invoices are paid within thirty days.",
    "A pump needs oil.",
]


async def test_the_passage_that_answers_comes_first(
    database: Database, tenant, collection: UUID, put, store, embedder
) -> None:
    """Both legs agree on it, and each says how it saw it."""
    await put(tenant, collection, TEXTS)
    found = await retrieve(database, tenant, embedder, store, Search("when are invoices paid", (collection,)))
    best = found.passages[0]
    assert (best.text, best.start, best.end, best.collection) == (TEXTS[1], 0, len(TEXTS[1]), "docs")
    assert (best.legs["lexical"].rank, best.legs["dense"].rank) == (1, 1)


async def test_fresh_documents_are_found_before_any_statistics_are_folded(
    database, tenant, collection, put, store, embedder
) -> None:
    """A collection of one document, a moment old, answers; its words are known."""
    await put(tenant, collection, TEXTS[:1])
    found = await retrieve(database, tenant, embedder, store, Search("pump", (collection,)))
    assert [passage.text for passage in found.passages] == TEXTS[:1]
    assert (found.statistics.chunk_count, found.statistics.terms[0].holding) == (1, 1)


async def test_a_question_of_unknown_words_still_gets_the_nearest(
    database, tenant, collection, put, store, embedder
) -> None:
    """The dense leg alone decides."""
    await put(tenant, collection, TEXTS)
    found = await retrieve(database, tenant, embedder, store, Search("zzz qqq", (collection,)))
    assert len(found.passages) == 3
    assert all("lexical" not in passage.legs for passage in found.passages)


async def test_an_empty_collection_has_no_passages(database, tenant, collection, store, embedder) -> None:
    """Nothing is not an error."""
    found = await retrieve(database, tenant, embedder, store, Search("pump", (collection,)))
    assert (found.passages, found.statistics.chunk_count) == ((), 0)


async def test_no_collection_has_no_passages(database, tenant, store, embedder) -> None:
    """Nor is nowhere."""
    assert (await retrieve(database, tenant, embedder, store, Search("pump", ()))).passages == ()


async def test_the_filter_holds_in_both_legs(database, tenant, collection, put, store, embedder) -> None:
    """No passage of a document that does not pass, and no passage lost to one."""
    await put(tenant, collection, TEXTS * 40, [{"year": 2000 + n} for n in range(120)])
    search = Search("pump oil", (collection,), 5, parse_filter({"year": {"gte": 2118}}))
    found = await retrieve(database, tenant, embedder, store, search)
    assert sorted(passage.metadata["year"] for passage in found.passages) == [2118, 2119]


async def test_several_collections_are_searched_as_one(
    database, tenant, make_collection, put, store, embedder
) -> None:
    """Each passage names its collection."""
    one, two = await make_collection(tenant, "one"), await make_collection(tenant, "two")
    await put(tenant, one, TEXTS[:1])
    await put(tenant, two, TEXTS[2:])
    found = await retrieve(database, tenant, embedder, store, Search("pump", (one, two)))
    assert {passage.collection for passage in found.passages} == {"one", "two"}
    assert {passage.legs["lexical"].rank for passage in found.passages} == {1, 2}


async def test_a_collection_outside_the_scope_is_not_found(
    database, tenant, collection, store, embedder
) -> None:
    """A key that may touch one collection cannot search another, nor learn that it exists."""
    narrow = Scope(tenant.tenant_id, "key:bob", collections=frozenset())
    with pytest.raises(NotFound):
        await retrieve(database, narrow, embedder, store, Search("pump", (collection,)))


@pytest.mark.parametrize("question", ["", "  \n", "x" * 4001, "nul\0"])
async def test_a_question_that_cannot_be_asked_is_refused(
    database, tenant, collection, store, embedder, question: str
) -> None:
    """With a sentence that says why."""
    with pytest.raises(Invalid):
        await retrieve(database, tenant, embedder, store, Search(question, (collection,)))


async def test_one_per_document_keeps_the_best_chunk(
    database, tenant, collection, put, store, embedder
) -> None:
    """Documents are listed once."""
    await put(tenant, collection, TEXTS)
    search = Search("pump", (collection,), profile=RetrievalProfile(one_per_document=True))
    found = await retrieve(database, tenant, embedder, store, search)
    assert len({passage.document_id for passage in found.passages}) == len(found.passages) == 3


async def test_without_its_embedder_a_search_goes_by_words(
    database, tenant, collection, put, store, embedder
) -> None:
    """A model that is down degrades the answer, not the service, and the result says so."""
    await put(tenant, collection, TEXTS)

    async def down(_text: str) -> None:
        raise Unavailable("The model does not answer.")

    embedder.embed_query = down
    found = await retrieve(database, tenant, embedder, store, Search("pump", (collection,)))
    assert found.degraded == ("dense",)
    assert {passage.text for passage in found.passages} == {TEXTS[0], TEXTS[2]}


async def test_a_reranker_has_the_last_word(database, tenant, collection, put, store, embedder) -> None:
    """Among the passages that it is shown."""
    await put(tenant, collection, TEXTS)

    class Shortest:
        depth = 3

        async def rerank(self, question: str, passages: list[Passage]) -> list[float]:
            return [-len(passage.text) for passage in passages]

    found = await retrieve(
        database, tenant, embedder, store, Search("invoices", (collection,), 1), Shortest()
    )
    assert [passage.text for passage in found.passages] == [TEXTS[2]]


async def test_a_slow_reranker_is_given_up(database, tenant, collection, put, store, embedder) -> None:
    """Within the deadline, and the passages come as they were fused."""
    await put(tenant, collection, TEXTS)

    class Sleeping:
        depth = 3

        async def rerank(self, question: str, passages: list[Passage]) -> list[float]:
            await asyncio.sleep(30)
            return [0.0 for _ in passages]

    search = Search("invoices", (collection,), 3)
    fused = await retrieve(database, tenant, embedder, store, search)
    with within(0.5):
        found = await retrieve(database, tenant, embedder, store, search, Sleeping())
    assert found.passages == fused.passages


async def test_a_slow_model_costs_the_dense_leg_alone(
    database, tenant, collection, put, store, embedder
) -> None:
    """It is given up at the deadline; the words answer, and the result says so."""
    await put(tenant, collection, TEXTS)

    async def slow(_text: str) -> None:
        await asyncio.sleep(30)

    embedder.embed_query = slow
    with within(0.5):
        found = await retrieve(database, tenant, embedder, store, Search("pump", (collection,)))
    assert found.degraded == ("dense",)
    assert {passage.text for passage in found.passages} == {TEXTS[0], TEXTS[2]}


async def test_what_is_removed_is_not_found(
    database, tenant, collection, put, store: VectorStore, embedder
) -> None:
    """Neither by its words nor by its vector, from the same moment on."""
    ids = await put(tenant, collection, TEXTS)
    async with database.transaction(tenant) as connection:
        assert await remove_chunks(connection, store, tenant.tenant_id, [ids[1]]) == 1
    found = await retrieve(database, tenant, embedder, store, Search(TEXTS[1], (collection,)))
    assert TEXTS[1] not in [passage.text for passage in found.passages]
