"""What the embedding room wants to know. Environment: KNOWLOG_EMBEDDING_*."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class EmbeddingSettings(BaseModel):
    """Which model turns text into vectors. Another model, window or length of vector means indexing anew."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        "minilm",
        description=(
            'Model that makes the vectors: "minilm" (offline), "bge" (offline, of KNOWLOG_EMBEDDING_FILE), '
            '"pair" (both), "openai:NAME" (OpenAI-compatible endpoint), '
            '"fastembed:NAME" (downloads once; pip install "knowlog[fastembed]") or "fake" (tests).'
        ),
    )
    file: Path | None = Field(
        None,
        description='Jar with the weights of "bge" and "pair"; needed until the network made of them is kept. '
        "Unset: the one that Maven has in its local repository.",
    )
    window_tokens: int | None = Field(
        None,
        ge=8,
        le=131_072,
        description="Tokens of a text that the model sees. Unset: what suits the model.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Threads that embed at the same time. Unset: one for each CPU of this process.",
    )
    url: str = Field("https://api.openai.com/v1", description="Base address of the endpoint of openai:NAME.")
    api_key: SecretStr | None = Field(None, description="API key of the endpoint of openai:NAME.")
    dimensions: int | None = Field(
        None,
        ge=8,
        le=4096,
        description="Length of a vector. Needed by openai:NAME only; the other models know theirs.",
    )
    request_texts: int = Field(64, ge=1, le=2048, description="Most texts in one request to the endpoint.")
    timeout_s: float = Field(30, gt=0, le=600, description="Longest wait for an answer of the endpoint.")

    token_shelf_mb: int = Field(
        256,
        ge=0,
        le=65_536,
        description="Most memory, of each process, for vectors of single tokens; the patterns late_interaction and "
        "adaptive make them.",
    )

    @property
    def adapter(self) -> str:
        """The part of the model before the colon."""
        return self.model.partition(":")[0]

    @property
    def names_an_endpoint(self) -> bool:
        """Whether an address or a key of an endpoint was given, and not merely left at its default."""
        return self.api_key is not None or self.url != type(self).model_fields["url"].default

    @property
    def model_name(self) -> str:
        """The part of the model after the colon; empty where there is none."""
        return self.model.partition(":")[2]
