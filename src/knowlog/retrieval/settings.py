"""How a collection is searched: the `retrieval` section of its profile."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from knowlog.stores import parse_filter

PatternName = Literal[
    "hybrid",
    "multi_query",
    "decomposition",
    "feedback",
    "filtered",
    "late_interaction",
    "reflective",
    "raptor",
    "entity_graph",
    "adaptive",
    "conversational",
    "rewriting",
    "hyde",
    "step_back",
    "corrective",
    "drafting",
    "agentic",
]


class RetrievalProfile(BaseModel):
    """How a collection is searched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int = Field(default=100, ge=10, le=1000, description="How many chunks each leg contributes.")
    dense_weight: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        description="Share of the dense score; the rest is the lexical one's.",
    )
    passages: int = Field(
        default=10,
        ge=1,
        le=100,
        description="How many passages a search returns that names no number, and how many an answer is made from.",
    )
    passage_tokens: int | None = Field(
        default=None,
        ge=16,
        le=32_768,
        description="Most tokens that are shown around a chunk found, for collections cut into parents and children."
        " Unset: the whole parent.",
    )
    pattern: PatternName = Field(default="hybrid", description="The way from a question to passages.")
    filter_names: tuple[str, ...] = Field(
        default=(),
        max_length=8,
        description="For the pattern filtered: names of metadata whose values questions may name.",
    )
    flagged: Literal["show", "drop"] = Field(
        default="show",
        description="What becomes of passages that look like instructions to a machine: shown and flagged, or left out.",
    )
    one_per_document: bool = Field(default=False, description="Return only the best chunk of each document.")

    @field_validator("filter_names")
    @classmethod
    def _can_be_filtered_by(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            parse_filter({name: 0})
        return names
