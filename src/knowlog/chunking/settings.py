"""What the chunking room wants to know. Environment: KNOWLOG_CHUNKING_*."""

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class ChunkingSettings(BaseModel):
    """The language model that the strategy `llm` asks. Without address and name there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    llm_url: str | None = Field(
        None,
        description="Base address of the OpenAI-compatible endpoint that the chunking strategy llm sends texts to.",
    )
    llm_model: str | None = Field(None, description="Name of the model there.")
    llm_api_key: SecretStr | None = Field(None, description="API key of that endpoint.")
    llm_timeout_s: float = Field(
        60, gt=0, le=600, description="Longest wait for one answer of that endpoint."
    )
