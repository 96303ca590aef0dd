"""What a tenant's calls of language models use: held against its limits before, counted after."""

from collections import Counter
from typing import Protocol

from knowlog.database import Database, Scope
from knowlog.llm.model import Price, Usage
from knowlog.tenants import OF_MODELS, Limiter, check, key_of, spend


class Account(Protocol):
    """On which a call is put."""

    async def require(self) -> None:
        """Raises LimitReached where nothing is left."""

    def add(self, usage: Usage, price: Price) -> None:
        """Note what an exchange used."""


class TenantAccount:
    """The account of one request of a tenant, and of its key. `settle` has to follow, whatever happened."""

    def __init__(self, database: Database, limiter: Limiter, scope: Scope) -> None:
        self._database = database
        self._limiter = limiter
        self._scope = scope
        self._key_id = key_of(scope)
        self._used: Counter[str] = Counter()

    async def require(self) -> None:
        """Hold what was used, by all of the tenant, against its limits. Raises LimitReached."""
        await self.settle()
        allowed = await self._limiter.allowed(self._scope.tenant_id, self._key_id)
        if any(allowed.of(kind) for kind in OF_MODELS):
            async with self._database.transaction(self._scope) as connection:
                await check(connection, allowed, OF_MODELS)

    def add(self, usage: Usage, price: Price) -> None:
        """Note what an exchange used."""
        self._used["llm_tokens"] += usage.tokens
        self._used["money_micros"] += price.micros(usage)

    async def settle(self) -> None:
        """Count what was noted as the tenant's usage."""
        used, self._used = self._used, Counter()
        if any(used.values()):
            async with self._database.transaction(self._scope) as connection:
                for counted, amount in used.items():
                    await spend(connection, counted, amount, self._key_id)


class OpenAccount:
    """Nobody's: for checks of the operator's own."""

    async def require(self) -> None:
        """There is no limit."""

    def add(self, usage: Usage, price: Price) -> None:
        """Nothing is counted."""
