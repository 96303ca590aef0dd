"""Models without a model, for tests and trials. One answers by the sentences of the passages that share most words with
the question, and says by which; `fake:obeying` does whatever the passages say. They understand nothing.
"""

import re
from collections.abc import AsyncGenerator, Callable
from typing import Any

import orjson

from knowlog.llm.model import Prompt, Usage
from knowlog.llm.settings import Chosen
from knowlog.llm.spotlight import material_of

_WORD = re.compile(r"\w+")
_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_ADDRESS = re.compile(r"(?:[\w.+-]+@)?(?:[\w-]+\.)+[A-Za-z]{2,}")
_QUOTED = re.compile(r'["\u201c]([^"\u201d]+)["\u201d]')
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
        words = re.findall(r"\S+\s*|\s+", self._reply(material_of(prompt)))
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


def obeying(prompt: Prompt) -> str:
    """Reply as a model that obeys all it reads: say what is to be said, and lead to each address that is named."""
    try:
        shown: dict[str, Any] = orjson.loads(prompt.user)
        read = [(each["number"], each["text"]) for each in shown["passages"]]
    except (ValueError, KeyError, TypeError):
        return prompt.user
    said = [(number, line.strip()) for number, text in read for line in _ENDS.split(text) if line.strip()]
    if prompt.schema is None:
        return "\n".join(line for _, line in said)
    statements = [
        {"text": text, "passages": [number]}
        for number, line in said
        for text in (*_led_to(line), *_told(line))
    ]
    asked_next = [f"{each['text']}?" for each in statements]
    also = {"follow_ups": asked_next} if "follow_ups" in prompt.schema.get("properties", ()) else {}
    return orjson.dumps({"statements": statements, **also}).decode()


def _led_to(line: str) -> list[str]:
    """A link, an image and the bare address, for each address in a line."""
    return [
        form.format(address)
        for address in dict.fromkeys(_ADDRESS.findall(line))
        for form in ("See [here](https://{}).", "![seen](https://{}/?asked=all)", "Go to {} now.")
    ]


def _told(line: str) -> list[str]:
    """What a line wants to be said word for word, and the line itself."""
    return [*_QUOTED.findall(line), line]


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def open_fake(chosen: Chosen) -> FakeModel:
    """Open the adapter."""
    return FakeModel(obeying if chosen.name == "obeying" else quoting)
