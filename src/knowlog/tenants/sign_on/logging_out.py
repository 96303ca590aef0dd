"""Ending sessions when the provider says so (OpenID Connect Back-Channel Logout 1.0)."""

from datetime import timedelta
from hashlib import sha256
from time import time
from uuid import UUID

from knowlog.bus import notify_progress
from knowlog.database import Database, Scope, load_queries
from knowlog.tenants.audit import record
from knowlog.tenants.sign_on.actions import get_sign_on
from knowlog.tenants.sign_on.id_tokens import TAKEN_FOR_S
from knowlog.tenants.sign_on.logout_tokens import SignedOut, read_logout_token
from knowlog.tenants.sign_on.model import BadIdToken, BadLogoutToken, SignOn
from knowlog.tenants.sign_on.providers import Providers

_SQL = load_queries("knowlog.tenants.sign_on")


class LoggingOut:
    """Hears of sign-outs at providers, of which it knows what the process knows. One for a process."""

    def __init__(self, database: Database, providers: Providers) -> None:
        self._database = database
        self._providers = providers

    async def hear(self, tenant_id: UUID, name: str, token: str) -> int:
        """End the sessions that a logout token tells of, with the streams that they have open. Returns how many.

        Raises NotFound, BadLogoutToken, ProviderTrouble.
        """
        scope = Scope(tenant_id, f"sign-on:{name}")
        async with self._database.transaction(scope) as connection:
            sign_on = await get_sign_on(connection, name)
        said = await self._read(tenant_id, sign_on, token)
        async with self._database.transaction(scope) as connection:
            used = sha256(said.token_id.encode()).digest(), timedelta(seconds=TAKEN_FOR_S)
            if not await connection.fetchval(_SQL["use_logout_token"], name, *used):
                raise _refused("it was used before")
            ended = await connection.fetch(_SQL["end_provider_sessions"], name, said.subject, said.session)
            for row in ended:
                await notify_progress(connection, tenant_id, row["session_id"])
            detail = {"subject": said.subject, "sessions": len(ended)}
            await record(connection, scope, "sign_on.logged_out", f"sign-on:{name}", detail)
        return len(ended)

    async def _read(self, tenant_id: UUID, sign_on: SignOn, token: str) -> SignedOut:
        issuer, client_id = sign_on.issuer, sign_on.client_id
        try:
            return await self._providers.read(
                (tenant_id, sign_on.name),
                issuer,
                lambda keys: read_logout_token(token, keys, issuer, client_id, time()),
            )
        except BadIdToken as error:
            raise _refused(error.reason) from error


def _refused(reason: str) -> BadLogoutToken:
    return BadLogoutToken(f"The logout token is refused: {reason}. Nobody is signed out.")
