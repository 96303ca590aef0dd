"""Questions of a conversation on a real database: carried over by words for every pattern, written by a model for one."""

import orjson
import pytest

from fake_models import fake_provider
from knowlog.kernel.errors import Unavailable
from knowlog.llm import OpenAccount, Prompt, material_of
from knowlog.retrieval import LazyWriter, ProviderWriter, Search, retrieve

TEXTS = ["Pumps have a warranty of two years. It covers labour.", "The canteen covers its tables at noon."]
HISTORY = ("How long is the warranty of pumps?",)


@pytest.fixture
def ask(database, tenant, collection, put, store, embedder):
    """Ask in a conversation, of a model that replies so, or of none."""

    async def ask(pattern: str, reply=None, question: str = "What does it cover?", history=HISTORY):
        await put(tenant, collection, TEXTS)
        model, provider = fake_provider(reply)
        writer = ProviderWriter(provider, OpenAccount(), 100) if reply else None
        search = Search(question, (collection,), pattern=pattern)
        found = await retrieve(database, tenant, embedder, store, search, writer=writer, history=history)
        return model, found

    return ask


@pytest.fixture
def ask_without(database, tenant, collection, put, store, embedder):
    """Ask where a model is looked up, and there is none."""

    async def none() -> None:
        return None

    async def ask():
        await put(tenant, collection, TEXTS)
        search = Search("What does it cover?", (collection,), pattern="conversational")
        return await retrieve(
            database, tenant, embedder, store, search, writer=LazyWriter(none), history=HISTORY
        )

    return ask


@pytest.mark.parametrize("pattern", ["hybrid", "multi_query", "conversational"])
async def test_words_are_carried_over_for_every_pattern(ask, pattern: str) -> None:
    """And told as the first step."""
    _, found = await ask(pattern)
    assert (found.pattern, found.calls) == (pattern, 0)
    assert found.question == "What does it cover? (long warranty pumps)"
    assert found.steps[0].detail == {"question": found.question}
    assert found.passages[0].text == TEXTS[0]


async def test_a_language_model_writes_the_question(ask) -> None:
    """It is shown the questions alone, and its word is made one line without control characters."""
    model, found = await ask("conversational", lambda _: "Which costs does\x00 the\nwarranty cover?")
    assert found.question == "Which costs does the warranty cover?"
    assert orjson.loads(material_of(model.asked[0]).user) == {
        "earlier": [*HISTORY],
        "question": "What does it cover?",
    }
    assert (found.calls, found.pattern) == (1, "conversational")


async def test_where_no_model_is_found_the_words_that_were_carried_over_do(ask_without) -> None:
    """An installation without one, and a tenant that has none of its own."""
    found = await ask_without()
    assert (found.pattern, found.degraded, found.calls) == ("conversational", (), 0)
    assert found.question == "What does it cover? (long warranty pumps)"


async def test_without_history_no_model_is_asked(ask) -> None:
    """The first question of a conversation stands alone."""
    model, found = await ask("conversational", lambda _: "nonsense", history=())
    assert (model.asked, found.question, found.calls) == ([], "What does it cover?", 0)


async def test_a_model_that_fails_leaves_the_words_that_were_carried_over(ask) -> None:
    """The plain search for them, and the answer says so."""

    def fails(_prompt: Prompt) -> str:
        raise Unavailable("The model is away.")

    _, found = await ask("conversational", fails)
    assert (found.question, found.degraded) == ("What does it cover? (long warranty pumps)", ("llm",))
    assert "conversational" in found.notes[-1]


async def test_an_empty_word_of_the_model_changes_nothing(ask) -> None:
    """It is as if it had not been asked."""
    _, found = await ask("conversational", lambda _: " \n")
    assert found.question == "What does it cover? (long warranty pumps)"
