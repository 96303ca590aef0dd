"""What the resilience room wants to know. Environment: KNOWLOG_RESILIENCE_*."""

from pydantic import BaseModel, ConfigDict, Field


class ResilienceSettings(BaseModel):
    """How long a question may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    question_s: float = Field(
        20,
        ge=1,
        le=600,
        description="Deadline of a search or a question: what it asks of models ends by then, and it goes on without.",
    )
