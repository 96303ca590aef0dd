"""Boundaries named by a language model: numbers are taken from it and nothing else, and nonsense is said to be that."""

import re

import pytest

from knowlog.chunking import ChunkingProfile, Models, chunk, estimate
from knowlog.chunking.strategies.llm import read_starts
from knowlog.documents.model import Structure
from knowlog.embedding import token_offsets
from knowlog.kernel.errors import Unavailable

TEXT = " ".join(f"This is sentence number {n} of the text." for n in range(400))
PROFILE = ChunkingProfile(strategy="llm", size_tokens=120)


class Scripted:
    """A model that answers as told, and keeps what it was asked."""

    name = "scripted"

    def __init__(self, answer) -> None:
        self.asked: list[str] = []
        self._answer = answer

    def complete(self, prompt: str) -> str:
        self.asked.append(prompt)
        return self._answer(prompt)


def every(step: int):
    def answer(prompt: str) -> str:
        numbers = [int(found) for found in re.findall(r"^\[(\d+)\]", prompt, re.MULTILINE)]
        return str(numbers[::step])

    return answer


@pytest.mark.parametrize(
    ("answer", "starts"),
    [
        ('{"starts": [0, 3, 7]}', [0, 3, 7]),
        ('```json\n{"starts": [7, 3, 3]}\n```', [3, 7]),
        ("Sure! [2, 4]. Anything else?", [2, 4]),
        ('{"starts": []}', []),
        ('{"starts": [3, 99, -1]}', [3]),
        ('{"starts": [99, 120]}', None),
        ('{"starts": ["3"]}', None),
        ('{"starts": [true]}', None),
        ("I cannot do that.", None),
        ("{" * 10_000, None),
        ("", None),
    ],
)
def test_numbers_are_read_from_whatever_a_model_says(answer, starts):
    """Fences and sentences around the JSON do no harm; what is no number of a sentence is none."""
    assert read_starts(answer, 10) == starts


def test_chunks_begin_where_the_model_says():
    """At every fifth sentence, over all windows of the text."""
    model = Scripted(every(5))
    found = chunk(TEXT, PROFILE, token_offsets, Structure(), Models(language=model))
    assert len(model.asked) > 1
    assert all(
        int(re.match(r"This is sentence number (\d+)", TEXT[span.start :])[1]) % 5 == 0 for span in found
    )


def test_nonsense_is_asked_for_again_and_then_told():
    """Two tries, then a sentence that names the model."""
    model = Scripted(lambda _: "As a poet, I see no boundaries.")
    with pytest.raises(Unavailable, match="scripted did not answer"):
        chunk(TEXT, PROFILE, token_offsets, Structure(), Models(language=model))
    assert len(model.asked) == 2


def test_a_model_that_sees_no_boundary_still_gives_chunks_of_the_size():
    """They are cut at sentences."""
    found = chunk(TEXT, PROFILE, token_offsets, Structure(), Models(language=Scripted(lambda _: "[]")))
    assert max(span.token_count for span in found) <= 120
    assert all(TEXT[span.start :].startswith("This is") for span in found)


def test_the_cost_is_known_beforehand():
    """As many requests as are made, within one in four, and nobody is asked."""
    model = Scripted(every(5))
    chunk(TEXT, PROFILE, token_offsets, Structure(), Models(language=model))
    told = estimate(TEXT, PROFILE, token_offsets, Structure())
    read = sum(len(token_offsets(prompt)) for prompt in model.asked)
    assert 0.75 * told.requests <= len(model.asked) <= 1.25 * told.requests + 1
    assert 0.7 * told.read_tokens <= read <= 1.3 * told.read_tokens
