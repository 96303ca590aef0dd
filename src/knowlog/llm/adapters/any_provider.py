"""Anthropic and whatever else any-llm speaks with, each by its provider's own SDK: `PROVIDER:NAME`.

https://docs.mozilla.ai/any-llm/. It is asked without retries of its own: the guard decides about those.
"""

from collections.abc import AsyncGenerator
from typing import Any

from any_llm import AnyLLM
from any_llm.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    MissingApiKeyError,
    ModelNotFoundError,
    RateLimitError,
    UnsupportedParameterError,
    UnsupportedProviderError,
)

from knowlog.kernel.errors import KnowlogError, LimitReached, Misconfigured, Unavailable
from knowlog.llm.model import NOTHING_USED, Prompt, Usage
from knowlog.llm.provider import host_of
from knowlog.llm.settings import Chosen

_WRONG = (
    AuthenticationError,
    InvalidRequestError,
    MissingApiKeyError,
    ModelNotFoundError,
    UnsupportedParameterError,
    UnsupportedProviderError,
)
_PAUSE_S = 20


class AnyProviderModel:
    """One request for each prompt."""

    def __init__(self, chosen: Chosen, client: AnyLLM) -> None:
        self.name = chosen.name
        self.place = host_of(chosen.url) if chosen.url else chosen.adapter
        self._prefix = chosen.prefix
        self._hushed = chosen.hushed
        self._client = client

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """See the port."""
        begun = ended = False
        try:
            chunks: Any = await self._client.acompletion(**self._given(prompt))
            async for chunk in chunks:
                begun = True
                if chunk.usage:
                    yield Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
                for choice in chunk.choices:
                    if choice.delta.content:
                        yield choice.delta.content
                    ended = ended or bool(choice.finish_reason)
        except Exception as error:
            if not begun and getattr(error, "status_code", None) is not None:
                yield NOTHING_USED
            raise self._refusal(error) from error
        if not ended:
            raise Unavailable(f"The reply of the language model at {self.place} broke off.")

    async def close(self) -> None:
        """The SDKs' clients close with the process."""

    def _given(self, prompt: Prompt) -> dict[str, Any]:
        messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
        given: dict[str, Any] = {"model": self.name, "messages": messages, "max_tokens": prompt.max_tokens}
        if prompt.schema is not None:
            form = {"name": "reply", "schema": dict(prompt.schema)}
            given["response_format"] = {"type": "json_schema", "json_schema": form}
        return given | {"stream": True}

    def _refusal(self, error: Exception) -> KnowlogError:
        said = self._hushed(" ".join(str(error).split()))[:200] or type(error).__name__
        if isinstance(error, RateLimitError):
            return LimitReached(
                f"The language model at {self.place} asks for a pause.", retry_after_s=_PAUSE_S
            )
        if isinstance(error, _WRONG):
            return Misconfigured(
                f"The language model at {self.place} refuses the request: {said} "
                f"Check {self._prefix}MODEL, {self._prefix}URL and {self._prefix}API_KEY."
            )
        return Unavailable(f"The language model at {self.place} does not answer: {said}")


def open_any(chosen: Chosen) -> AnyProviderModel:
    """Open the adapter; nobody is called yet. Raises Misconfigured for a provider that there is not, or without a key."""
    try:
        client = AnyLLM.create(
            chosen.adapter,
            chosen.key,
            chosen.url,
            unified_exceptions=True,
            max_retries=0,
            timeout=chosen.timeout_s,
        )
    except _WRONG as error:
        raise Misconfigured(
            f"{chosen.prefix}MODEL={chosen.model!r:.100} cannot be opened: {' '.join(str(error).split())[:300]}"
        ) from error
    return AnyProviderModel(chosen, client)
