"""A model without a model, for tests and trials: it answers by the sentences of the passages that share most words with
the question, and says by which. It understands nothing.
"""

import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from knowlog.llm.model import Prompt, Usage
from knowlog.llm.settings import Chosen

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"[^.!?]+[.!?]?")
_LEAST_SHARED = 2


class FakeModel:
    """Replies with what `reply` makes of a prompt, a word at a time."""

    name = "fake"
    place = "here"

    def __init__(self, reply: Callable[[Prompt], str] | None = None) -> None:
        self.asked: list[Prompt] = []
        self._reply = reply or quoting

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """See the port."""
        self.asked.append(prompt)
        words = re.findall(r"\S+\s*|\s+", self._reply(prompt))
        for word in words:
            yield word
        yield Usage(len(_WORD.findall(prompt.system + prompt.user)), len(words))

    async def close(self) -> None:
        """Nothing is open."""


def quoting(prompt: Prompt) -> str:
    """Reply with the sentence of each passage nearest to the question, in the JSON that answers are asked for in."""
    try:
        shown: dict[str, Any] = orjson.loads(prompt.user)
        passages = [(each["number"], each["text"]) for each in shown["passages"]]
        asked = _words(shown["question"])
    except (ValueError, KeyError, TypeError):
        return "I am a fake: I only answer questions with passages."
    best = [
        (number, max(_SENTENCE.findall(text), key=lambda each: len(asked & _words(each)), default=""))
        for number, text in passages
    ]
    near = [(number, text.strip()) for number, text in best if len(asked & _words(text)) >= _LEAST_SHARED]
    return orjson.dumps(
        {"statements": [{"text": text, "passages": [number]} for number, text in near[:1]]}
    ).decode()


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def open_fake(_chosen: Chosen) -> FakeModel:
    """Open the adapter."""
    return FakeModel()
