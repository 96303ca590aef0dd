"""The nouns of language models."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from knowlog.kernel.errors import Unavailable

_BYTES_PER_TOKEN = 4
_MOST_TOKENS = 10_000_000


class MalformedReply(Unavailable):
    """A language model answered with something else than what it was asked for. Asking again was tried already."""

    code, permanent = "llm-malformed-reply", True


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked. `system` are knowlog's own words, `user` holds the material; `schema` (JSON schema) is
    the form that the reply is to have, None for plain text.
    """

    system: str
    user: str
    max_tokens: int
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that one exchange has used. `estimated`: the provider did not say, so they were reckoned from the length."""

    read_tokens: int
    written_tokens: int
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Read and written together."""
        return self.read_tokens + self.written_tokens

    @property
    def plausible(self) -> bool:
        """Whether it can be what a provider says: a lying one must not use up a tenant's limit at once, or give back."""
        return 0 <= self.read_tokens <= _MOST_TOKENS and 0 <= self.written_tokens <= _MOST_TOKENS


NOTHING_USED = Usage(0, 0)
"""Of a call that was refused, or reached nobody."""


@dataclass(frozen=True, slots=True)
class Reply:
    """All that a model wrote, and what that took."""

    text: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in the operator's currency, read and written."""

    read: float = 0.0
    written: float = 0.0

    def micros(self, usage: Usage) -> int:
        """Return what an exchange cost in millionths, rounded up."""
        return math.ceil(usage.read_tokens * self.read + usage.written_tokens * self.written)


def estimated(prompt: Prompt, written: str) -> Usage:
    """Reckon the tokens of an exchange from its bytes, four to a token."""
    return Usage(_tokens(prompt.system) + _tokens(prompt.user), _tokens(written), estimated=True)


def _tokens(text: str) -> int:
    return math.ceil(len(text.encode("utf-8", "replace")) / _BYTES_PER_TOKEN)
