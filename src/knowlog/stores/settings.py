"""What the stores room wants to know. Environment: KNOWLOG_STORES_*."""

from pydantic import BaseModel, ConfigDict, Field


class StoresSettings(BaseModel):
    """Where vectors are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: str = Field(
        "pgvector",
        description="Where vectors are kept: pgvector (in the database).",
    )
    keep_index_days: float = Field(
        7,
        gt=0,
        le=3650,
        description="For so long the index that answered before a switch is kept, to be rolled back to.",
    )
