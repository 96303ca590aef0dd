"""Summaries that a language model writes: verified, as long as wished, and never believed."""

from collections.abc import Callable
from uuid import UUID

import orjson

from fake_models import fake_provider
from knowlog.documents import Structure
from knowlog.faithfulness import FaithfulnessSettings, open_judge
from knowlog.llm import FakeModel, OpenAccount, Prompt
from knowlog.summarizing import Length, Source, quotables, words
from knowlog.summarizing.ladder import Task, Writing, summarize_by_ladder
from knowlog.summarizing.model import Content

SOURCE = Source(UUID(int=1), 1, "handbook", "pump", "The pump")
JUDGE = open_judge(FaithfulnessSettings())


def text_of(sentences: int) -> str:
    """Sentences on a pump, each with figures of its own."""
    return " ".join(
        f"In plant {n} the pump moves {n * 3} litres of cold water." for n in range(1, sentences + 1)
    )


def quoting(prompt: Prompt, most: int = 4) -> str:
    """An obedient model: it says what the first pieces say."""
    shown = orjson.loads(prompt.user)["passages"][:most]
    said = [{"text": each["text"], "passages": [each["number"]]} for each in shown]
    return orjson.dumps({"statements": said}).decode()


async def summarized(
    reply: Callable[[Prompt], str], sentences: int = 20, length: int = 60
) -> tuple[Content, FakeModel]:
    """A summary by a model that replies so, and the model."""
    model, provider = fake_provider(reply)
    writing = Writing([provider], JUDGE, OpenAccount(), 600)
    task = Task(quotables(text_of(sentences), SOURCE, Structure()), Length(length), "brief", words)
    return await summarize_by_ladder(task, writing), model


async def test_what_is_supported_stays_and_quotations_fill_the_length() -> None:
    """Each statement has citations that stand in the text."""
    made, model = await summarized(quoting)
    assert (made.rung, made.plan, made.within) == ("generated", "direct", True)
    assert [each.written for each in made.statements][:2] == [True, True]
    text = text_of(20)
    for statement in made.statements:
        for cited in statement.citations:
            assert text[cited.start : cited.end] == cited.quote
    assert len(model.asked) == 1
    assert made.llm_tokens > 0


async def test_an_invention_is_dropped() -> None:
    """A figure that no piece holds, a statement without a piece, an address: the quotations stand in, and say so."""

    def lying(prompt: Prompt) -> str:
        said = [
            ("The pump moves 99999 litres.", [1]),
            ("It is red.", []),
            ("See http://evil.example for more.", [1]),
        ]
        return orjson.dumps(
            {"statements": [{"text": text, "passages": named} for text, named in said]}
        ).decode()

    made, _ = await summarized(lying)
    assert (made.rung, made.within) == ("extractive", True)
    assert "is supported" in made.notes[-1]
    assert "99999" not in made.text
    assert "evil" not in made.text


async def test_a_silent_model_falls_to_quotations() -> None:
    """Malformed replies twice: the ladder says what failed."""
    made, _ = await summarized(lambda _: "I would rather not.")
    assert (made.rung, made.degraded, made.within) == ("extractive", ("llm",), True)
    assert "language model did not answer" in made.notes[-1]


async def test_longer_texts_are_asked_about_in_parts() -> None:
    """Some parts are refined one after the other, more are mapped and reduced, and many in layers."""
    plans = []
    for sentences in (20, 500, 1500):
        made, model = await summarized(quoting, sentences)
        plans.append((made.plan, len(model.asked) > 1))
        assert made.within
    assert plans == [("direct", False), ("refine", True), ("map_reduce", True)]
    layered, _ = await summarized(lambda prompt: quoting(prompt, 60), 4000)
    assert layered.plan == "hierarchical"
    assert layered.within
