"""What the faithfulness room wants to know. Environment: KNOWLOG_FAITHFULNESS_*."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class FaithfulnessSettings(BaseModel):
    """Who judges whether answers are supported by their passages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: str = Field(
        "evidence",
        description=(
            'Who judges answers: "evidence" (offline: plain checks, calibrated on labelled answers) or "openai:NAME" '
            "(a language model behind an OpenAI-compatible endpoint)."
        ),
    )
    url: str = Field("https://api.openai.com/v1", description="Base address of the endpoint of openai:NAME.")
    api_key: SecretStr | None = Field(None, description="API key of the endpoint of openai:NAME.")
    timeout_s: float = Field(60, gt=0, le=600, description="Longest wait for an answer of the endpoint.")

    @property
    def adapter(self) -> str:
        """The part of the judge before the colon."""
        return self.judge.partition(":")[0]

    @property
    def model_name(self) -> str:
        """The part of the judge after the colon; empty where there is none."""
        return self.judge.partition(":")[2]
