"""Collections that are cut by other strategies than the default: indexed by a worker, and found as their readers need."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from at_work import at_work, fake_app
from knowlog.bootstrap import App
from knowlog.database import Database, Scope
from knowlog.documents import Profile, Upload, create_collection
from knowlog.kernel.errors import Invalid
from knowlog.retrieval import Passage, RetrievalProfile, Search, retrieve
from knowlog.tenants import usage_by_day

STABLES = " ".join(
    f"Zebra {n} sleeps in stable {n} at noon. It eats hay number {n} there." for n in range(12)
)
HEADINGS = "# Zoo\n\nOpen daily.\n\n## Cats\n\nLions roar at dawn and sleep all day in the sun.\n\n## Birds\n\nOwls hunt."
TABLE = "| species | diet |\n|---|---|\n" + "\n".join(f"| animal {n} | leaves {n} |" for n in range(12))


@pytest.fixture(scope="module")
async def app(server_dir: Path, database: Database) -> AsyncIterator[App]:
    """A process's App with the fake model."""
    async with fake_app(server_dir) as opened:
        yield opened


async def indexed(app: App, scope: Scope, chunking: dict[str, Any], texts: dict[str, str]) -> Search:
    """Alice's collection of these texts, cut so; a search of it, to be asked."""
    async with app.database.transaction(scope) as connection:
        profile = app.complete_profile(Profile(chunking=chunking))
        made = await create_collection(connection, scope, "zoo", profile)
        uploads = [Upload(name, name, text.encode()) for name, text in texts.items()]
        await app.receiver.receive(connection, scope, "zoo", uploads)
    async with at_work(app):
        for _ in range(600):
            async with app.database.transaction(scope) as connection:
                states = {row["state"] for row in await connection.fetch("select state from documents")}
            if states == {"indexed"}:
                return Search("?", (made.collection_id,), 5, None, RetrievalProfile())
            await asyncio.sleep(0.05)
    raise AssertionError(states)


async def ask(app: App, scope: Scope, search: Search, question: str) -> tuple[Passage, ...]:
    asked = replace(search, question=question)
    return (await retrieve(app.database, scope, app.embedder, app.store, asked)).passages


async def text_of(app: App, scope: Scope) -> str:
    async with app.database.transaction(scope) as connection:
        return await connection.fetchval("select text from versions")


FAMILIES = {"strategy": "parent_child", "size_tokens": 60, "child_tokens": 16}


async def test_the_whole_parent_is_shown_where_a_child_is_found(app, tenant) -> None:
    """Exactly, and once for all its children."""
    search = await indexed(app, tenant, FAMILIES, {"stables.txt": STABLES})
    found = await ask(app, tenant, search, "Where does zebra 7 sleep?")
    text = await text_of(app, tenant)
    assert all(text[passage.start : passage.end] == passage.text for passage in found)
    assert len({passage.start for passage in found}) == len(found) > 2
    assert "Zebra 7 sleeps" in found[0].text
    assert 40 < len(app.embedder.token_offsets(found[0].text)) <= 60


async def test_a_window_of_the_parent_is_shown_where_less_is_wanted(app, tenant) -> None:
    """As many tokens as the profile says, around what was found; no two windows share anything."""
    search = await indexed(app, tenant, FAMILIES, {"stables.txt": STABLES})
    search = replace(search, profile=RetrievalProfile(passage_tokens=32))
    found = await ask(app, tenant, search, "Where does zebra 7 sleep?")
    text = await text_of(app, tenant)
    assert "Zebra 7 sleeps" in found[0].text
    assert len(found) == 5
    assert all(text[passage.start : passage.end] == passage.text for passage in found)
    assert all(len(app.embedder.token_offsets(passage.text)) <= 32 for passage in found)
    assert all(one.end <= two.start for one, two in pairwise(sorted(found, key=lambda each: each.start)))


async def test_one_window_of_each_document_where_that_is_wanted(app, tenant) -> None:
    """The best one."""
    search = await indexed(
        app, tenant, FAMILIES, {"one.txt": STABLES, "two.txt": STABLES.replace("Zebra", "Horse")}
    )
    search = replace(search, profile=RetrievalProfile(passage_tokens=32, one_per_document=True))
    found = await ask(app, tenant, search, "Where does zebra 7 sleep?")
    assert [passage.external_id for passage in found] == ["one.txt", "two.txt"]
    assert "Zebra 7 sleeps" in found[0].text


async def test_a_window_knows_the_headings_of_all_it_holds(app, tenant) -> None:
    """Also of children that begin where a section does."""
    search = await indexed(app, tenant, FAMILIES, {"zoo.md": HEADINGS})
    (found,) = await ask(app, tenant, search, "cats roar")
    assert found.headings == ("Zoo",)
    assert found.headings_at(found.start + found.text.index("Lions")) == ("Zoo", "Cats")
    assert found.headings_at(found.start + found.text.index("Owls")) == ("Zoo", "Birds")


async def test_rows_are_found_by_the_header_of_their_table(app, tenant) -> None:
    """The header is searched with each chunk of rows, and is no part of its text."""
    search = await indexed(app, tenant, {"strategy": "structure", "size_tokens": 32}, {"diet.md": TABLE})
    found = await ask(app, tenant, search, "species diet of animal 11")
    assert "animal 11" in found[0].text
    assert "species" not in found[0].text
    assert found[0].legs["lexical"].score > 0


async def test_what_a_strategy_embeds_is_counted(app, tenant) -> None:
    """Sentences that are compared are the tenant's embedding tokens, beside its chunks."""
    await indexed(app, tenant, {"strategy": "cluster_semantic", "size_tokens": 32}, {"stables.txt": STABLES})
    async with app.database.transaction(tenant) as connection:
        used = {each.counted: each.amount for each in await usage_by_day(connection, 1)}
    assert used["embedding_tokens"] >= 2 * len(app.embedder.token_offsets(STABLES))


def test_a_strategy_without_its_model_is_refused_when_it_is_chosen(app) -> None:
    """In one sentence that names the settings; nothing is stored."""
    with pytest.raises(Invalid, match="KNOWLOG_CHUNKING_LLM_URL"):
        app.complete_profile(Profile(chunking={"strategy": "llm"}))
