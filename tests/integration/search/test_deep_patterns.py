"""Patterns that look behind the first passages, on a real database: what each finds, and what it may not see."""

import asyncio
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from knowlog.retrieval import RetrievalProfile, Search, retrieve
from knowlog.retrieval.patterns import late_interaction

CHAPTERS = [
    "impeller and gasket of the pump",
    "gasket of the impeller, and its cabinet",
    "it stands on the shelf",
    "coffee is paid by the firm",
    "tea is paid by the firm",
    "the firm pays within thirty days",
]


@pytest.fixture
def ask(database, tenant, collection, store, embedder):
    """Ask by a pattern, as Alice."""

    async def ask(pattern: str, question: str, scope=tenant, model=embedder, **wanted):
        search = Search(question, (collection,), pattern=pattern, **wanted)
        return await retrieve(database, scope, model, store, search)

    return ask


async def test_late_interaction_prefers_what_speaks_of_everything_asked(
    ask, put, tenant, collection, embedder
) -> None:
    """Of two that the legs hold for equal, the one that has each word of the question."""
    texts = ["pump pump oil oil fault", "pump oil fault valve brown"]
    question = "pump oil fault valve"
    same = np.stack([embedder.embed(question)] * 2)
    await put(tenant, collection, texts, vectors=same)
    found = await ask("late_interaction", question, profile=RetrievalProfile(dense_weight=1.0))
    assert [each.text for each in found.passages] == texts[::-1]
    assert found.steps[-1].what == "compared tokens"


async def test_without_vectors_of_tokens_the_order_is_kept(ask, put, tenant, collection, embedder) -> None:
    """Many models give none: what the legs found stands, and the steps say so."""

    class Plain:
        profile, embed_query, token_offsets = embedder.profile, embedder.embed_query, embedder.token_offsets

    await put(tenant, collection, CHAPTERS)
    found = await ask("late_interaction", "gasket of the pump", model=Plain())
    assert [each.text for each in found.passages] == [
        each.text for each in (await ask("hybrid", "gasket of the pump")).passages
    ]
    assert found.steps[-1].what == "kept the order"


async def test_a_model_that_reads_for_too_long_costs_the_order_alone(
    ask, put, tenant, collection, embedder, monkeypatch
) -> None:
    """The plain search's passages come, in time."""

    class Slow(type(embedder)):
        async def embed_tokens(self, texts, owner):
            await asyncio.sleep(30)

    monkeypatch.setattr(late_interaction, "_PATIENCE_S", 0.05)
    await put(tenant, collection, CHAPTERS)
    found = await ask("late_interaction", "gasket of the pump", model=Slow())
    assert len(found.passages) == len(CHAPTERS)
    assert "in time" in found.steps[-1].detail["because"]


async def test_a_chunk_counts_with_the_part_of_its_document(ask, put, tenant, collection) -> None:
    """What says nothing of pumps comes before coffee, since its chapter speaks of them."""
    await put(tenant, collection, CHAPTERS, chunks_each=6)

    async def place(pattern: str) -> int:
        found = [each.text for each in (await ask(pattern, "impeller gasket pump")).passages]
        return found.index(CHAPTERS[2])

    assert await place("raptor") == 2
    assert await place("raptor") <= await place("hybrid")


@pytest.mark.parametrize("pattern", ["raptor", "entity_graph", "reflective", "late_interaction"])
async def test_a_hidden_document_of_many_chunks_changes_nothing(
    ask, database, put, tenant, collection, pattern: str
) -> None:
    """Neither its tree nor its names: what Bob finds is to the bit what he found before it was there."""
    bob = replace(tenant, subjects=frozenset())
    await put(tenant, collection, CHAPTERS, chunks_each=6)

    async def told() -> list[object]:
        found = await ask(pattern, "Which gasket has the Pump Nine and who paid?", bob)
        return [[(each.text, each.score) for each in found.passages], found.steps]

    before = await told()
    hidden = await put(tenant, collection, ["gasket of the Pump Nine by Canary Corp"] * 3, chunks_each=3)
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = any($1)", hidden, [uuid4()]
        )
    assert await told() == before


async def test_what_a_name_leads_to_is_found(ask, put, tenant, collection) -> None:
    """The question names a fault; the fault stands beside a pump, and the pump beside its maker."""
    texts = [
        "Fault E7 stops the Pump Nine.",
        "A Pump Nine is by Acme Corp.",
        "Acme Corp pays late.",
        "Tea is good.",
    ]
    await put(tenant, collection, texts)

    async def scores(pattern: str) -> list[float]:
        found = {each.text: each.score for each in (await ask(pattern, "fault E7")).passages}
        return [found[text] for text in texts[1:]]

    pump, maker, tea = zip(await scores("hybrid"), await scores("entity_graph"), strict=True)
    assert pump[1] > pump[0]
    assert maker[1] > maker[0]
    assert tea[1] <= tea[0]


async def test_what_no_sentence_supports_is_looked_for(ask, put, tenant, collection) -> None:
    """One half of the question is answered, the other is looked for by itself."""
    await put(tenant, collection, ["The pump stops with fault E7.", *CHAPTERS[3:]])
    found = await ask("reflective", "Which fault E7 stops the pump, and who pays for the rubber gasket?")
    assert found.steps[-1].detail["statements"] == ["rubber gasket?"]


async def test_a_question_names_the_time_that_it_means(ask, put, tenant, collection) -> None:
    """Dates are text in metadata, years are numbers; a bound is not the year itself."""
    dated = [{"date": "2021-12-31"}, {"date": "2022-05-01"}, {"year": 2023}]
    await put(tenant, collection, ["pump one", "pump two", "pump three"], dated)
    profile = RetrievalProfile(pattern="filtered", filter_names=("date", "year"))
    for question, text in (("pump before 2022", "pump one"), ("pump since March 2022", "pump two"),
                           ("pump after 2022", "pump three")):  # fmt: skip
        found = await ask("filtered", question, profile=profile)
        assert [each.text for each in found.passages] == [text]
