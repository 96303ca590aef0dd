"""Patterns that ask a language model, with the fake one: what it is asked, what comes of its word, and of its silence."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from fake_models import fake_provider
from knowlog.kernel.errors import Invalid, LimitReached, Unavailable
from knowlog.llm import FakeModel, OpenAccount, Prompt
from knowlog.retrieval import ProviderWriter, Search, all_patterns, retrieve

ASKING = [each.name for each in all_patterns() if each.needs_llm]
TEXTS = [
    "The pump stops with fault E7.",
    "Fault E7 is mended by changing the gasket of the impeller.",
    "Invoices are paid within thirty days.",
]
ODD = {
    "nul": "a\x00b \x00",
    "square": "2\u00b2",
    "half a character": "\ud800 x",
    "long": "\U0001f984" * 5000,
    "empty": "",
    "marks": "\u202e\u2028 %s \\ $1",
}


def writer_of(reply: Callable[[Prompt], str]) -> tuple[FakeModel, ProviderWriter]:
    """A model that replies so, behind its guard."""
    model, provider = fake_provider(reply)
    return model, ProviderWriter(provider, OpenAccount(), 100)


@pytest.fixture
def ask(database, tenant, collection, put, store, embedder):
    """Ask by a pattern, of a model that replies so."""

    async def ask(pattern: str, reply: Callable[[Prompt], str], question: str = "leaking machine"):
        await put(tenant, collection, TEXTS)
        model, writer = writer_of(reply)
        search = Search(question, (collection,), pattern=pattern)
        return model, await retrieve(database, tenant, embedder, store, search, writer=writer)

    return ask


@pytest.mark.parametrize("pattern", ["rewriting", "step_back"])
async def test_what_the_model_writes_is_looked_for(ask, pattern: str) -> None:
    """Words of the rewritten question find what those of the question do not."""
    _, found = await ask(pattern, lambda _: "1. gasket of the impeller?")
    assert "gasket" in found.passages[0].text
    assert found.calls == 1
    assert found.written_tokens > 0


async def test_hyde_looks_near_an_invented_passage(ask) -> None:
    """By its vector alone: words that were invented are not looked for."""
    _, found = await ask("hyde", lambda _: TEXTS[1])
    assert found.passages[0].text == TEXTS[1]
    assert all("lexical" not in each.legs for each in found.passages)


async def test_corrective_searches_again_where_nothing_helps_and_then_gives_up(ask) -> None:
    """The model says none of both searches: nothing is returned, and the answer abstains."""
    model, found = await ask(
        "corrective", lambda prompt: "none" if "numbers" in prompt.system else "pump fault"
    )
    assert (found.passages, found.calls, len(model.asked)) == ((), 3, 3)
    assert [each.what for each in found.steps] == ["graded", "searched again", "graded"]


async def test_corrective_keeps_what_helps_and_takes_nonsense_for_no_verdict(ask) -> None:
    """One call, and the plain search's order."""
    _, found = await ask("corrective", lambda _: "I like trains")
    assert (len(found.passages), found.calls) == (3, 1)


async def test_drafting_looks_for_what_the_passages_do_not_support(ask) -> None:
    """The draft names a gasket of which the best passage does not speak; nothing of the draft is shown."""
    _, found = await ask("drafting", lambda _: "Invoices of Oslo are paid within 90 days.", "pump fault E7")
    assert found.steps[-1].detail["statements"] == ["Invoices of Oslo are paid within 90 days."]
    assert "Oslo" not in str(found.passages)


async def test_agentic_searches_and_puts_what_the_model_names_first(ask) -> None:
    """By the numbers that it was shown."""
    steps = iter(['{"search": "invoices thirty days"}', '{"done": [3]}'])
    _, found = await ask("agentic", lambda _: next(steps), "pump fault E7")
    assert found.passages[0].text == TEXTS[2]
    assert [each.what for each in found.steps] == ["searched", "chose passages"]
    assert found.calls == 2


@pytest.mark.parametrize(
    "reply",
    ['{"delete": 1}', '{"open": 99}', '{"follow": "all"}', "I like trains", '{"search": ""}', "[" * 5000],
)
async def test_agentic_has_no_other_tools(ask, reply: str) -> None:
    """Whatever else a model wants ends the loop: the plain search's passages come."""
    _, found = await ask("agentic", lambda _: reply, "pump fault E7")
    assert (found.calls, len(found.passages), found.degraded) == (1, 3, ())


async def test_a_model_that_never_has_enough_is_stopped(ask) -> None:
    """After so many steps, each of them a new search."""
    count = iter(range(1000))
    _, found = await ask("agentic", lambda _: f'{{"search": "pump {next(count)}"}}', "pump fault E7")
    assert (found.calls, len(found.passages)) == (5, 3)


@pytest.mark.parametrize("pattern", ["drafting", "agentic"])
async def test_what_may_not_be_seen_is_shown_to_no_model(
    database, tenant, collection, put, store, embedder, pattern: str
) -> None:
    """Though the model obeys every word and asks for it by its own words."""
    hidden = await put(tenant, collection, ["pump fault E7 zebra", "zebra in its cage"], chunks_each=2)
    await put(tenant, collection, TEXTS)
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "update documents set audience = $2 where document_id = any($1)", hidden, [uuid4()]
        )
    steps = iter(['{"search": "zebra cage"}', '{"open": 1}', '{"follow": 1}', '{"done": [1]}'])
    model, writer = writer_of(lambda _: next(steps, "The zebra sings in its cage."))
    bob = replace(tenant, subjects=frozenset())
    search = Search("pump fault E7", (collection,), pattern=pattern)
    found = await retrieve(database, bob, embedder, store, search, writer=writer)
    assert {each.text for each in found.passages} == set(TEXTS)
    assert model.asked
    assert not [each for each in model.asked if "zebra" in each.user]


@pytest.mark.parametrize("pattern", ASKING)
async def test_a_model_that_fails_costs_the_pattern_and_not_the_search(ask, pattern: str) -> None:
    """The plain search answers, and says why."""

    def fails(_prompt: Prompt) -> str:
        raise Unavailable("The model is away.")

    _, found = await ask(pattern, fails, "pump fault")
    assert (len(found.passages), found.pattern, found.degraded) == (3, "hybrid", ("llm",))
    assert pattern in found.notes[-1]


async def test_a_budget_that_is_used_up_is_told_as_that(ask) -> None:
    """The model answers, and is not asked: nobody looks for what is wrong with it."""

    def spent(_prompt: Prompt) -> str:
        raise LimitReached(
            "The limit of 10 tokens is reached; the day ends in 2 h.", limit="llm_tokens_per_day"
        )

    _, found = await ask("hyde", spent, "pump fault")
    assert found.degraded == ("llm",)
    assert "instead of the pattern hyde. The limit of 10 tokens is reached; the day" in found.notes[-1]
    assert "does not answer" not in found.notes[-1]


@pytest.mark.parametrize("pattern", ASKING)
async def test_without_a_model_such_a_pattern_is_refused(
    database, tenant, collection, store, embedder, pattern: str
) -> None:
    """With the names of those that need none."""
    with pytest.raises(Invalid, match="Choose one of: hybrid"):
        await retrieve(database, tenant, embedder, store, Search("pump", (collection,), pattern=pattern))


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("pattern", ASKING)
async def test_whatever_a_model_writes_the_search_is_answered(ask, pattern: str, odd: str) -> None:
    """Half a character, what only looks like a figure, nothing: it costs nobody the search."""
    _, found = await ask(pattern, lambda _: ODD[odd], "pump fault E7")
    assert (found.pattern, found.calls >= 1) == (pattern, True)
