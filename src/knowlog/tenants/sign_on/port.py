"""How providers are asked: over a line that another room lays, which defends the network that the server stands in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Question:
    """A request to a provider: GET, or POST where there is a form. It is asked once, and redirects are not followed."""

    url: str
    form: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a provider answered."""

    status: int
    content: bytes


class Line(Protocol):
    """Leads to providers."""

    def check(self, url: str) -> None:
        """Raise Invalid for what can be no address of a provider: not https, unless the operator allows its host."""

    async def ask(self, question: Question) -> Reply:
        """Ask. Raises ProviderTrouble when nothing comes back, or too much; Invalid for an address out of reach."""
