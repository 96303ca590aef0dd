"""How long conversations are kept. Environment: KNOWLOG_THREADS_*."""

from pydantic import BaseModel, ConfigDict, Field


class ThreadsSettings(BaseModel):
    """How long conversations are kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keep_days: int = Field(
        365,
        ge=1,
        le=36500,
        description="A thread is deleted so many days after its last question.",
    )
