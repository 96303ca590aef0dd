"""The nouns of chunking."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowlog.documents.model import Structure
from knowlog.kernel.errors import Invalid
from knowlog.kernel.wording import wrong_with

_MARKS = 2  # what models put before and after a text, [CLS] and [SEP] in BERT

Offsets = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk: characters [start, end) of a text, neither end on white space, and how many tokens it has."""

    start: int
    end: int
    token_count: int


class TokenOffsets(Protocol):
    """Where each token of a text starts, in code points, ascending; without the model's special tokens."""

    def __call__(self, text: str, /) -> Offsets:
        """Return one start offset per token of `text`."""
        ...


class ChunkingProfile(BaseModel):
    """How the texts of a collection are cut. Sizes are in tokens of the collection's embedding model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: Literal["recursive"] = Field(default="recursive", description="How boundaries are chosen.")
    size_tokens: int = Field(
        default=300, ge=16, le=32_768, description="Most tokens in a chunk, never exceeded."
    )
    overlap: float = Field(
        default=0.12,
        ge=0.0,
        lt=0.5,
        description="Most that a chunk repeats of the one before, as a share of its size.",
    )

    @classmethod
    def read(cls, fields: Mapping[str, Any], window_tokens: int) -> "ChunkingProfile":
        """Return the profile that `fields` describe.

        Invalid when a value is out of range, or when a chunk would not fit into the `window_tokens` that the
        embedding model reads at once.
        """
        try:
            most = min(cls.model_fields["size_tokens"].default, window_tokens)
            profile = cls.model_validate({"size_tokens": most, **fields})
        except ValidationError as error:
            raise Invalid(_sentence(error)) from error
        profile.require_window(window_tokens)
        return profile

    def require_window(self, window_tokens: int) -> None:
        """Raise Invalid unless a whole chunk, with the model's marks around it, fits into its window."""
        most = window_tokens - _MARKS
        if self.size_tokens > most:
            raise Invalid(
                f"chunking.size_tokens is {self.size_tokens}, and the embedding model reads {most} tokens"
                f" of text at once. Choose 16 to {most}."
            )


Strategy = Callable[[str, ChunkingProfile, TokenOffsets, Structure], list[Span]]
"""A pure function: text, profile, tokens and structure to spans in order of their start."""


def _sentence(error: ValidationError) -> str:
    problems = (f"chunking.{'.'.join(map(str, item['loc']))} {wrong_with(item)}" for item in error.errors())
    return "; ".join(problems) + ". Correct the chunking settings of the collection."
