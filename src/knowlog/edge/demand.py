"""What a route may ask of its caller."""

from abc import ABC, abstractmethod

from starlette.requests import Request


class Demand(ABC):
    """Dependency that finds out who is calling. Every route has exactly one (see `routing`)."""

    @abstractmethod
    async def __call__(self, request: Request) -> object:
        """Find the caller. Raises Unauthenticated, Forbidden."""


class Open(Demand):
    """Dependency of a route that answers anybody, and says why it may: it holds no tenant's data."""

    def __init__(self, because: str) -> None:
        self.because = because

    async def __call__(self, request: Request) -> None:
        """Let everybody pass."""
