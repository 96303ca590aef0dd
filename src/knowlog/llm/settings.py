"""What the llm room wants to know. Environment: KNOWLOG_LLM_*."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from knowlog.kernel.hosts import known_hosts
from knowlog.llm.model import Price
from knowlog.llm.spotlight import Marking

_Money = Annotated[float, Field(ge=0, le=1e6)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """One model as the settings name it: `adapter:name`, and where; `prefix` is that of its settings, for messages."""

    prefix: str
    model: str
    url: str | None
    api_key: SecretStr | None
    price: Price
    timeout_s: float

    @property
    def adapter(self) -> str:
        """The part before the colon."""
        return self.model.partition(":")[0]

    @property
    def name(self) -> str:
        """The part behind the colon; empty where there is none."""
        return self.model.partition(":")[2]

    @property
    def key(self) -> str | None:
        """The API key, opened."""
        return self.api_key.get_secret_value() if self.api_key else None

    def hushed(self, told: str) -> str:
        """Return what a provider told, without the key: one that lies may send it back, and messages are logged."""
        return told.replace(self.key, "[key]") if self.key else told


class LlmSettings(BaseModel):
    """The language models that write answers. Without the first there is none, and answers are quotations."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str | None = Field(
        None,
        description='Language model that answers are written with: "openai:NAME" (any OpenAI-compatible endpoint: vLLM,'
        ' Ollama, llama.cpp ...), "anthropic:NAME" or another provider of any-llm (pip install "knowlog[llm]"), or'
        ' "fake" (tests; "fake:obeying" does what passages say). Unset: none.',
    )
    url: str | None = Field(
        None, description="Base address of its endpoint. Unset: the provider's own; https://api.openai.com/v1 for openai."
    )  # fmt: skip
    api_key: SecretStr | None = Field(None, description="API key of that endpoint.")
    read_price: _Money = Field(0, description="What a million tokens that it reads cost, in your currency.")
    written_price: _Money = Field(
        0, description="What a million tokens that it writes cost, in your currency."
    )
    second_model: str | None = Field(
        None, description="Model that is asked when the first does not answer, named as that. Unset: none."
    )
    second_url: str | None = Field(None, description="Base address of the second model's endpoint.")
    second_api_key: SecretStr | None = Field(None, description="API key of the second model's endpoint.")
    second_read_price: _Money = Field(
        0, description="What a million tokens that the second model reads cost."
    )
    second_written_price: _Money = Field(
        0, description="What a million tokens that the second model writes cost."
    )
    timeout_s: float = Field(15, gt=0, le=600, description="Longest wait for one whole reply.")
    slow_s: float = Field(
        8, gt=0, le=600, description="A reply that takes longer counts against the model as a failure does."
    )
    at_once: int = Field(
        16, ge=1, le=1000, description="Most replies of one model at the same time, of one process."
    )
    max_tokens: int = Field(600, ge=16, le=32_768, description="Most tokens of a reply.")
    private_hosts: Annotated[frozenset[str], AfterValidator(known_hosts)] = Field(
        frozenset(),
        description="Names of hosts inside your network, or host:port, at which tenants' own language models may be"
        " asked, by plain http too. Others are asked by https, at public addresses.",
    )
    marking: Marking = Field(
        "delimited",
        description='How passages are marked as material, before a model reads them: "delimited" (by words that nobody'
        ' can know beforehand) or "datamarked" (and a mark in place of each space: safer still, and more tokens).',
    )
    unsupported: Literal["drop", "mark"] = Field(
        "drop",
        description='What becomes of statements of a written answer that the passages do not support: "drop", or "mark"'
        " (shown apart, as unsupported, and no part of the answer).",
    )
    answers: Literal["extractive", "generated"] = Field(
        "extractive",
        description='How a question is answered that does not say: "extractive" (quotations alone) or "generated" (by the'
        " model, each statement verified).",
    )

    @property
    def chosen(self) -> tuple[Chosen, ...]:
        """The models that are named, in the order in which they are asked."""
        first = Price(self.read_price, self.written_price)
        second = Price(self.second_read_price, self.second_written_price)
        named = (
            ("KNOWLOG_LLM_", self.model, self.url, self.api_key, first),
            ("KNOWLOG_LLM_SECOND_", self.second_model, self.second_url, self.second_api_key, second),
        )
        return tuple(
            Chosen(prefix, model, url, key, price, self.timeout_s)
            for prefix, model, url, key, price in named
            if model
        )
