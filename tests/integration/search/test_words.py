"""A search by words that takes too long is left out; the other leg answers, and the answer says so."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import pytest

from knowlog.database import Database
from knowlog.kernel.errors import Unavailable
from knowlog.resilience import Policy
from knowlog.retrieval import Passage, Search, reranking, retrieve, words

TEXTS = ["the pump stops with fault", "invoices are paid in thirty days"]
PATIENCE = Policy(timeout_s=0.3, slow_s=0.3, at_once=1000, attempts=1)


@pytest.fixture(autouse=True)
def short(monkeypatch) -> None:
    """So that nobody waits for seconds."""
    monkeypatch.setattr(words.GUARDS, "policy", PATIENCE)
    monkeypatch.setattr(words.GUARDS, "_guards", type(words.GUARDS._guards)())


@asynccontextmanager
async def locked(database: Database) -> AsyncIterator[None]:
    """Nobody can read what BM25 must know meanwhile."""
    async with database.owner() as owner, owner.transaction():
        await owner.execute(
            "lock table knowlog.term_statistics, knowlog.chunk_terms in access exclusive mode"
        )
        yield


@pytest.fixture
def ask(database, store, embedder):
    """Ask of a tenant's collection."""

    async def ask(scope, collection, **changes):
        search = Search("pump fault", (collection,), **changes)
        return await retrieve(database, scope, embedder, store, search)

    return ask


async def test_a_slow_search_by_words_is_left_out(database, tenant, collection, put, ask) -> None:
    """The dense leg alone finds the passage; with the lock gone, both legs are there again."""
    await put(tenant, collection, TEXTS)
    async with locked(database):
        began = monotonic()
        found = await ask(tenant, collection, pattern="feedback")
        assert monotonic() - began < 5
    assert (found.passages[0].text, found.degraded, found.pattern) == (TEXTS[0], ("lexical",), "hybrid")
    assert "words took too long" in found.notes[0]
    assert set(found.passages[0].legs) == {"dense"}
    again = await ask(tenant, collection)
    assert (again.degraded, set(again.passages[0].legs)) == ((), {"lexical", "dense"})


async def test_it_is_left_alone_for_its_tenant_and_no_other(
    database, tenant, other_tenant, collection, make_collection, put, ask
) -> None:
    """After ten slow ones nobody of the tenant waits; another tenant has both legs as soon as there are any."""
    theirs = await make_collection(other_tenant, "theirs")
    await put(tenant, collection, TEXTS)
    await put(other_tenant, theirs, TEXTS)
    async with locked(database):
        await asyncio.gather(*(ask(tenant, collection) for _ in range(10)))
    guard = words.GUARDS.of(tenant.tenant_id, "")
    assert (guard.breaker.opened, guard.breaker.refused) == (1, 0)
    assert (await ask(tenant, collection)).degraded == ("lexical",)
    assert guard.breaker.refused == 1
    assert (await ask(other_tenant, theirs)).degraded == ()


async def test_with_neither_leg_the_search_says_so(
    database, tenant, collection, put, store, embedder, monkeypatch
) -> None:
    """And does not answer that there is nothing."""

    async def silent(_text: str) -> None:
        raise Unavailable("The model is down.")

    await put(tenant, collection, TEXTS)
    monkeypatch.setattr(embedder, "embed_query", silent)
    async with locked(database):
        with pytest.raises(Unavailable, match="Neither the search by words nor the embedding model"):
            await retrieve(database, tenant, embedder, store, Search("pump", (collection,)))


class Slow:
    """A reranker that takes its time."""

    depth = 5

    async def rerank(self, question: str, passages: Sequence[Passage]) -> Sequence[float]:
        """See Reranker."""
        await asyncio.sleep(5)
        return [0.0] * len(passages)


async def test_a_slow_reranker_leaves_the_order_and_is_told(
    database, tenant, collection, put, store, embedder, monkeypatch
) -> None:
    """The fused order stands, and the answer says why."""
    monkeypatch.setattr(reranking, "_POLICY", PATIENCE)
    await put(tenant, collection, TEXTS)
    search = Search("pump fault", (collection,))
    plain = await retrieve(database, tenant, embedder, store, search)
    found = await retrieve(database, tenant, embedder, store, search, Slow())
    assert [each.text for each in found.passages] == [each.text for each in plain.passages]
    assert (found.degraded, "reranker" in found.notes[0]) == (("reranker",), True)
