"""The way through a provider (OpenID Connect Core 1.0, code flow with PKCE): begun in one request, finished in another,
by any server.

What is kept of a sign-in that has begun are hashes. The browser keeps a secret in a cookie, the address that it comes
back with has the state, and from both together follow nonce and verifier: the database has neither, nor has the address.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from time import time
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from knowlog.database import Database, Scope, load_queries
from knowlog.kernel.errors import Invalid, LimitReached, Unavailable
from knowlog.tenants import throttle
from knowlog.tenants.audit import record
from knowlog.tenants.sessions import Device, Opened, Sessions, Vouched
from knowlog.tenants.sign_on.actions import get_sign_on, secret_of
from knowlog.tenants.sign_on.id_tokens import Expected, name_in, read_id_token, refused
from knowlog.tenants.sign_on.joining import account_of, joined, let_in, says_all
from knowlog.tenants.sign_on.model import (
    BadIdToken,
    NotLetIn,
    ProviderTrouble,
    SignOn,
    SignOnDenied,
    SignOnFailed,
    StaleSignOn,
)
from knowlog.tenants.sign_on.port import Line, Question
from knowlog.tenants.sign_on.providers import Provider, Providers, read_object, trouble
from knowlog.tenants.tokens import encoded
from knowlog.tenants.vault import INSTALLATION, Vault

_SQL = load_queries("knowlog.tenants.sign_on")
ATTEMPT_LIFE = timedelta(minutes=10)
_BEGUN_AN_HOUR = 1_000
_STALE = "This sign-in was begun in another browser or more than ten minutes ago, or it is finished already. Begin again."


@dataclass(frozen=True, slots=True)
class Way:
    """Which sign-on is used, in whose browser: the secret that its cookie holds. `redirect_uri`: where it leads back."""

    tenant_id: UUID
    name: str
    browser: str
    redirect_uri: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What a browser comes back with from the provider."""

    state: str
    code: str | None = None
    error: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at a provider has shown. `problem` is None where people can sign in by it; `tells_of_logout`: it says
    that it can tell who has signed out there.
    """

    issuer: str
    problem: str | None
    authorization_endpoint: str | None = None
    key_count: int = 0
    tells_of_logout: bool = False


class SigningOn:
    """Signs people in by the providers of their tenants. One for a process."""

    def __init__(self, database: Database, vault: Vault, sessions: Sessions, line: Line) -> None:
        self._database = database
        self._vault = vault
        self._sessions = sessions
        self._line = line
        self.providers = Providers(line)

    async def begin(self, way: Way, return_to: str | None, origin: str) -> str:
        """Begin a sign-in. Returns the address at the provider to which the browser is to go.

        Raises NotFound, ProviderTrouble, LimitReached for an address from which too many were begun.
        """
        await self._bear(origin)
        sign_on = await self._get(way)
        provider = await self.providers.get((way.tenant_id, way.name), sign_on.issuer)
        state = token_urlsafe(32)
        async with self._database.transaction(_scope(way)) as connection:
            await connection.execute(
                _SQL["insert_attempt"], _hash(state), way.name, _hash(way.browser), way.redirect_uri, return_to,
                ATTEMPT_LIFE,
            )  # fmt: skip
        asked = {
            "response_type": "code", "client_id": sign_on.client_id, "redirect_uri": way.redirect_uri,
            "scope": " ".join(sign_on.scopes), "state": state, "nonce": _derived("nonce", way.browser, state),
            "code_challenge": encoded(sha256(_derived("verifier", way.browser, state).encode()).digest()),
            "code_challenge_method": "S256",
        }  # fmt: skip
        joint = "&" if "?" in provider.authorization_endpoint else "?"
        return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"

    async def finish(self, way: Way, returned: Returned, device: Device) -> tuple[Opened, str | None]:
        """Finish a sign-in, once: open a session of this tenant. Returns it, and the path to go on to.

        Raises StaleSignOn, SignOnDenied, ProviderTrouble, BadIdToken, NotLetIn, Forbidden.
        """
        return_to = await self._take_attempt(way, returned.state)
        try:
            member_id, vouched = await self._identify(way, returned)
        except (SignOnDenied, BadIdToken, NotLetIn) as error:
            await self._record_refusal(way, error)
            raise
        return await self._sessions.open(way.tenant_id, member_id, "sign_on", device, vouched), return_to

    async def look(self, tenant_id: UUID, name: str) -> Look:
        """Ask the provider about itself anew, and try the secret. Raises NotFound."""
        place, way = (tenant_id, name), Way(tenant_id, name, "", "")
        sign_on = await self._get(way)
        self.providers.forget(place)
        try:
            async with self._database.transaction(_scope(way)) as connection:
                await secret_of(connection, self._vault, name)
            provider = await self.providers.get(place, sign_on.issuer)
            keys = await self.providers.keys(place, sign_on.issuer)
        except (ProviderTrouble, Invalid, Unavailable) as error:
            return Look(sign_on.issuer, error.detail)
        endpoint = provider.authorization_endpoint
        return Look(sign_on.issuer, None, endpoint, len(keys), provider.tells_of_logout)

    async def _identify(self, way: Way, returned: Returned) -> tuple[UUID, Vouched]:
        """Which member the provider says has signed in, and how long that is to be believed."""
        sign_on = await self._get(way)
        provider = await self.providers.get((way.tenant_id, way.name), sign_on.issuer)
        _check_returned(provider, returned)
        claims = await self._claims(way, sign_on, provider, returned)
        account = account_of(sign_on, claims)
        async with self._database.transaction(_scope(way)) as connection:
            member = await let_in(connection, way.tenant_id, sign_on, account)
        life = timedelta(hours=sign_on.session_hours)
        return member.member_id, Vouched(way.name, name_in(claims, "sid"), life)

    async def _record_refusal(self, way: Way, error: SignOnFailed) -> None:
        detail = {"result": error.result, "reason": error.detail}
        async with self._database.transaction(_scope(way)) as connection:
            await record(connection, _scope(way), "sign_on.refused", f"sign-on:{way.name}", detail)

    async def _bear(self, origin: str) -> None:
        async with self._database.transaction(INSTALLATION) as connection:
            if await throttle.asks_too_often(connection, "sign-on", origin, _BEGUN_AN_HOUR):
                raise LimitReached(
                    "Too many sign-ins were begun from your address. Wait a while.", retry_after_s=60
                )

    async def _get(self, way: Way) -> SignOn:
        async with self._database.transaction(_scope(way)) as connection:
            return await get_sign_on(connection, way.name)

    async def _take_attempt(self, way: Way, state: str) -> str | None:
        async with self._database.transaction(_scope(way)) as connection:
            row = await connection.fetchrow(_SQL["take_attempt"], _hash(state), way.name, _hash(way.browser))
        if row is None or not row["in_time"] or row["redirect_uri"] != way.redirect_uri:
            raise StaleSignOn(_STALE)
        return_to: str | None = row["return_to"]
        return return_to

    async def _claims(
        self, way: Way, sign_on: SignOn, provider: Provider, returned: Returned
    ) -> dict[str, Any]:
        """Redeem the code: what the provider says of who signed in."""
        tokens = await self._redeem(way, sign_on, provider, returned)
        access_token = tokens.get("access_token")
        expected = Expected(
            sign_on.issuer,
            sign_on.client_id,
            _derived("nonce", way.browser, returned.state),
            access_token if isinstance(access_token, str) else None,
        )
        token, place = str(tokens.get("id_token", "")), (way.tenant_id, way.name)
        claims = await self.providers.read(
            place, sign_on.issuer, lambda keys: read_id_token(token, keys, expected, time())
        )
        if provider.userinfo_endpoint and expected.access_token and not says_all(sign_on, claims):
            told = await self._userinfo(provider.userinfo_endpoint, expected.access_token)
            if told.get("sub") != claims["sub"]:
                raise refused("the userinfo endpoint speaks of somebody else")
            claims = joined(claims, told)
        return claims

    async def _redeem(
        self, way: Way, sign_on: SignOn, provider: Provider, returned: Returned
    ) -> Mapping[str, Any]:
        async with self._database.transaction(_scope(way)) as connection:
            secret = await secret_of(connection, self._vault, way.name)
        form = {
            "grant_type": "authorization_code", "code": returned.code or "", "redirect_uri": way.redirect_uri,
            "code_verifier": _derived("verifier", way.browser, returned.state), "client_id": sign_on.client_id,
        }  # fmt: skip
        headers = {}
        if secret is not None and provider.identified_by == "basic":
            named = f"{quote(sign_on.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(named.encode()).decode()}"
        elif secret is not None:
            form["client_secret"] = secret
        reply = await self._line.ask(Question(provider.token_endpoint, form, headers))
        if reply.status != 200:
            raise trouble(f"it does not take the code: {_error_in(reply.content)} (status {reply.status})")
        return read_object(reply.content, provider.token_endpoint)

    async def _userinfo(self, url: str, access_token: str) -> dict[str, Any]:
        reply = await self._line.ask(Question(url, headers={"Authorization": f"Bearer {access_token}"}))
        if reply.status != 200:
            raise trouble(f"{url} answers with status {reply.status}")
        return read_object(reply.content, url)


def _check_returned(provider: Provider, returned: Returned) -> None:
    """Raise SignOnDenied where the provider refuses, BadIdToken where another one answers (RFC 9207)."""
    named = returned.issuer is not None or provider.names_itself
    if named and not compare_digest((returned.issuer or "").encode(), provider.issuer.encode()):
        raise refused("another provider answered")
    if returned.error is not None or not returned.code:
        said = _plain(returned.error or "no code")
        raise SignOnDenied(
            f"Your provider did not sign you in: {said}. Begin again, or tell an admin of your tenant."
        )


def _error_in(content: bytes) -> str:
    try:
        return _plain(str(read_object(content, "").get("error", "no reason given")))
    except ProviderTrouble:
        return "no reason given"


def _plain(said: str) -> str:
    """An error's name as providers have them; what else they write is for nobody here."""
    return "".join(each for each in said[:60] if each.isascii() and (each.isalnum() or each in "_- "))


def _derived(what: str, browser: str, state: str) -> str:
    return encoded(sha256(f"{what}\0{browser}\0{state}".encode()).digest())


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def _scope(way: Way) -> Scope:
    return Scope(way.tenant_id, f"sign-on:{way.name}")
