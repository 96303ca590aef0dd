"""Messages in, tokens out."""

from collections.abc import AsyncGenerator
from typing import Protocol

from knowlog.llm.model import Prompt, Usage


class LanguageModel(Protocol):
    """A model that continues a conversation. Safe to call from many tasks at once."""

    @property
    def name(self) -> str:
        """Its name, as its provider knows it."""

    @property
    def place(self) -> str:
        """Where it is asked: a host, or a provider's name."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[str | Usage, None]:
        """Yield the reply in pieces as they come, and what it used where the provider says so, or refused the call.

        Raises Unavailable (also for a reply that breaks off or is no reply at all), LimitReached or Misconfigured.
        """
        ...

    async def close(self) -> None:
        """Close connections. Nothing may be called afterwards."""
