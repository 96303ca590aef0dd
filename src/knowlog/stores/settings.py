"""What the stores room wants to know. Environment: KNOWLOG_STORES_*."""

from pydantic import BaseModel, ConfigDict, Field


class StoresSettings(BaseModel):
    """Where vectors are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vectors: str = Field(
        "pgvector",
        description="Where vectors are kept: pgvector (in the database).",
    )
