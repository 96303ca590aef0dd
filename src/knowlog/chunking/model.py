"""The nouns of chunking."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from knowlog.kernel.errors import Invalid
from knowlog.kernel.wording import wrong_with

if TYPE_CHECKING:
    from knowlog.chunking.work import Work

_MARKS = 2  # what models put before and after a text, [CLS] and [SEP] in BERT

Offsets = npt.NDArray[np.integer[Any]]
StrategyName = Literal[
    "fixed",
    "sliding_window",
    "paragraph",
    "sentence",
    "recursive",
    "semantic",
    "llm",
    "parent_child",
    "structure",
    "cluster_semantic",
]
READ_BY: dict[str, tuple[StrategyName, ...]] = {
    "overlap": ("recursive", "sliding_window", "sentence"),
    "sentences": ("sentence",),
    "similarity": ("semantic",),
    "percentile": ("semantic",),
    "child_tokens": ("parent_child",),
}
"""Which strategies read a setting of a profile; what is not here, all of them read."""
LEAST_TOKENS = 16
"""The smallest chunk that a profile may ask for."""


@dataclass(frozen=True, slots=True)
class Span:
    """A chunk: characters [start, end) of a text, neither end on white space, and how many tokens it has.

    `context` is what stands elsewhere in the text and is needed to read it, such as the header of its table; it is
    searched with the chunk and is no part of it. `parent` is the larger chunk around this one, itself one of the spans.
    """

    start: int
    end: int
    token_count: int
    context: tuple[str, ...] = ()
    parent: tuple[int, int] | None = None


class TokenOffsets(Protocol):
    """Where each token of a text starts, in code points, ascending; without the model's special tokens."""

    def __call__(self, text: str, /) -> Offsets:
        """Return one start offset per token of `text`."""
        ...


class ChunkingProfile(BaseModel):
    """How the texts of a collection are cut. Sizes are in tokens of the collection's embedding model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategy: StrategyName = Field(default="recursive", description="How boundaries are chosen.")
    size_tokens: int = Field(
        default=300, ge=LEAST_TOKENS, le=32_768, description="Most tokens in a chunk, never exceeded."
    )
    overlap: float = Field(
        default=0.12,
        ge=0.0,
        lt=0.5,
        description="Most that a chunk repeats of the one before, as a share of its size."
        " For recursive, sliding_window and sentence; the others repeat nothing.",
    )
    sentences: int | None = Field(
        default=None, ge=1, le=1000, description="For sentence: most sentences in a chunk. Unset: what fits."
    )
    similarity: float = Field(
        default=0.75,
        ge=-1.0,
        le=1.0,
        description="For semantic: cut where neighbouring sentences have a lower cosine.",
    )
    percentile: float | None = Field(
        default=None,
        gt=0.0,
        lt=100.0,
        description="For semantic: instead, cut at this percentage of the neighbours, those least alike.",
    )
    child_tokens: int = Field(
        default=60,
        ge=LEAST_TOKENS,
        le=32_768,
        description="For parent_child: most tokens of what is searched within a chunk of size_tokens.",
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
        profile.require_children()
        return profile

    def settled(self) -> dict[str, Any]:
        """Return what decides where this profile cuts: what other strategies would read is left out."""
        others = {name for name, readers in READ_BY.items() if self.strategy not in readers}
        return self.model_dump(exclude=others - {"overlap"})  # which stored profiles of every strategy have

    def require_window(self, window_tokens: int) -> None:
        """Raise Invalid unless a whole chunk, with the model's marks around it, fits into its window."""
        most = window_tokens - _MARKS
        if self.size_tokens > most:
            raise Invalid(
                f"chunking.size_tokens is {self.size_tokens}, and the embedding model reads {most} tokens"
                f" of text at once. Choose 16 to {most}."
            )

    def require_children(self) -> None:
        """Raise Invalid where children would be larger than their parents."""
        if self.strategy == "parent_child" and self.child_tokens > self.size_tokens:
            raise Invalid(
                f"chunking.child_tokens is {self.child_tokens}, more than the {self.size_tokens} of the parent"
                " (chunking.size_tokens). Choose smaller children or larger parents."
            )


Strategy = Callable[["Work"], list[Span]]
"""A pure function: a text with its structure to spans in order of their start."""


def unread(settings: Iterable[str], strategies: Collection[str]) -> str | None:
    """Return the first of some settings that none of the strategies reads; None where each is read."""
    return next(
        (name for name in settings if name in READ_BY and not set(READ_BY[name]) & set(strategies)), None
    )


def _sentence(error: ValidationError) -> str:
    problems = (
        f"chunking.{'.'.join(map(str, item['loc']))} {wrong_with(item)}{_instead(item)}"
        for item in error.errors()
    )
    share = " (overlap is a share of the size, such as 0.12)" if _names_overlap(error) else ""
    return "; ".join(problems) + share + "."


def _instead(item: Any) -> str:
    """What was said for a name, where several may have been."""
    return f", not {item['input']!r:.50}" if item["type"] == "literal_error" else ""


def _names_overlap(error: ValidationError) -> bool:
    return any(item["loc"] == ("overlap",) for item in error.errors())
