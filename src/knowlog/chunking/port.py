"""What strategies may ask of models. They run in a thread of their own, so both calls block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NO_LANGUAGE_MODEL = (
    "The chunking strategy llm asks a language model, and there is none:"
    " set KNOWLOG_CHUNKING_LLM_URL and KNOWLOG_CHUNKING_LLM_MODEL, or choose another strategy."
)


class Embed(Protocol):
    """Texts to vectors of length 1, by the embedding model of the installation."""

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Return one row for each text. Raises what the model raises."""
        ...


class LanguageModel(Protocol):
    """A model that continues a conversation."""

    @property
    def name(self) -> str:
        """Its name, as people know it."""

    def complete(self, prompt: str) -> str:
        """Return the model's answer. Raises Unavailable, LimitReached or Misconfigured."""
        ...


@dataclass(frozen=True, slots=True)
class Models:
    """The models at hand; None for one that there is not."""

    embed: Embed | None = None
    language: LanguageModel | None = None
