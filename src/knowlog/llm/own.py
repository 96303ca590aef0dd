"""The language models that tenants entrust for their own questions: opened when needed, each behind its own guard.

A tenant names the address, so that it is asked over a transport that does not lead into the network of this server.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import SecretStr

from knowlog.database import Database, Scope
from knowlog.llm.model import Price
from knowlog.llm.provider import Provider, policy_of
from knowlog.llm.settings import Chosen, LlmSettings
from knowlog.resilience import GuardsApart
from knowlog.tenants import OwnModel, Vault, key_of_own_model, own_model

if TYPE_CHECKING:  # the client of HTTP, which few need, is loaded with the first model
    import httpx

_MOST = 200
_PREFIX = "your own language model's "
_Version = tuple[datetime, datetime | None]


@dataclass(frozen=True, slots=True)
class _Opened:
    version: _Version
    provider: Provider


class OwnModels:
    """Looks at each call whether the tenant has a model, and which: one that was removed is asked no more."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        settings: LlmSettings,
        transport: "Callable[[], httpx.AsyncBaseTransport]",
    ) -> None:
        self._database = database
        self._vault = vault
        self._settings = settings
        self._transport = transport
        self._guards = GuardsApart("language models of tenants", policy_of(settings))
        self._opened: OrderedDict[UUID, _Opened] = OrderedDict()

    async def of(self, scope: Scope) -> tuple[OwnModel, Provider] | None:
        """The tenant's own model, and what asks it; None where it has none. Raises Unavailable."""
        async with self._database.transaction(scope) as connection:
            own = await own_model(connection)
            if own is None:
                return None
            version = (own.changed_at, own.key_changed_at)
            found = self._opened.get(scope.tenant_id)
            if found is None or found.version != version:
                key = await key_of_own_model(connection, self._vault)
                found = _Opened(version, self._open(scope.tenant_id, version, own, key))
        await self._keep(scope.tenant_id, found)
        return own, found.provider

    async def close(self) -> None:
        """Close all connections."""
        while self._opened:
            _, opened = self._opened.popitem()
            await opened.provider.close()

    def _open(self, tenant_id: UUID, version: _Version, own: OwnModel, key: str | None) -> Provider:
        from knowlog.llm.adapters.openai import open_openai

        chosen = Chosen(
            _PREFIX, own.model, own.url, SecretStr(key) if key else None, Price(), self._settings.timeout_s
        )
        model = open_openai(chosen, self._transport())
        guard = self._guards.of((tenant_id, version), f"language model {model.name} at {model.place}")
        return Provider(model, Price(), self._settings, guard)

    async def _keep(self, tenant_id: UUID, opened: _Opened) -> None:
        """The last that were asked stay open. One that is let go ends when its replies have."""
        self._opened[tenant_id] = opened
        self._opened.move_to_end(tenant_id)
        if len(self._opened) > _MOST:
            self._opened.popitem(last=False)
