"""Patterns that ask a language model, with the fake one: what it is asked, what comes of its word, and of its silence."""

from collections.abc import Callable

import pytest

from knowlog.kernel.errors import Invalid, Unavailable
from knowlog.llm import FakeModel, LlmSettings, OpenAccount, Price, Prompt, Provider
from knowlog.retrieval import ProviderWriter, Search, all_patterns, retrieve

ASKING = [each.name for each in all_patterns() if each.needs_llm]
TEXTS = [
    "The pump stops with fault E7.",
    "Fault E7 is mended by changing the gasket of the impeller.",
    "Invoices are paid within thirty days.",
]


def writer_of(reply: Callable[[Prompt], str]) -> tuple[FakeModel, ProviderWriter]:
    """A model that replies so, behind its guard."""
    model = FakeModel(reply)
    return model, ProviderWriter(Provider(model, Price(), LlmSettings()), OpenAccount(), 100)


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


@pytest.mark.parametrize("pattern", ASKING)
async def test_a_model_that_fails_costs_the_pattern_and_not_the_search(ask, pattern: str) -> None:
    """The plain search answers, and says why."""

    def fails(_prompt: Prompt) -> str:
        raise Unavailable("The model is away.")

    _, found = await ask(pattern, fails, "pump fault")
    assert (len(found.passages), found.pattern, found.degraded) == (3, "hybrid", ("llm",))
    assert pattern in found.notes[-1]


@pytest.mark.parametrize("pattern", ASKING)
async def test_without_a_model_such_a_pattern_is_refused(
    database, tenant, collection, store, embedder, pattern: str
) -> None:
    """With the names of those that need none."""
    with pytest.raises(Invalid, match="Choose one of: hybrid"):
        await retrieve(database, tenant, embedder, store, Search("pump", (collection,), pattern=pattern))
