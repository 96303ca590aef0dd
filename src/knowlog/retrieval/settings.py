"""How a collection is searched: the `retrieval` section of its profile."""

from pydantic import BaseModel, ConfigDict, Field


class RetrievalProfile(BaseModel):
    """How the two legs of a search are weighed against each other."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    depth: int = Field(default=100, ge=10, le=1000, description="How many chunks each leg contributes.")
    dense_weight: float = Field(
        default=0.6,
        ge=0.0,
        le=1.0,
        description="Share of the dense score; the rest is the lexical one's.",
    )
    passage_tokens: int | None = Field(
        default=None,
        ge=16,
        le=32_768,
        description="Most tokens that are shown around a chunk found, for collections cut into parents and children."
        " Unset: the whole parent.",
    )
    one_per_document: bool = Field(default=False, description="Return only the best chunk of each document.")
