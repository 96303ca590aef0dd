"""What a provider says of itself (OpenID Connect Discovery 1.0), and its keys: read when needed and kept for minutes.

Each sign-on has its own copy, so that the time of an answer tells no tenant which providers others use. A token that
names a key which is not known has the keys read anew, at most once in ten seconds.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Literal, TypeVar
from uuid import UUID

import orjson

from knowlog.kernel.errors import Invalid
from knowlog.tenants.sign_on.id_tokens import ALGORITHMS, Jwk, is_usable
from knowlog.tenants.sign_on.model import ProviderTrouble, UnknownKey
from knowlog.tenants.sign_on.port import Line, Question

Place = tuple[UUID, str]
"""Tenant and name of a sign-on."""
Read = TypeVar("Read")

_KEPT_S = 600.0
_NOT_AGAIN_S = 10.0
_MOST_KEPT = 500
_MOST_KEYS = 100
_PATH = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's own description. `identified_by`: how it wants to be told the client's secret."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    userinfo_endpoint: str | None
    jwks_uri: str
    identified_by: Literal["basic", "post"]
    names_itself: bool
    tells_of_logout: bool


@dataclass(slots=True)
class _Known:
    provider: Provider
    read_at: float
    keys: list[Jwk] = field(default_factory=list)
    keys_read_at: float = float("-inf")
    read_anew_at: float = float("-inf")


class Providers:
    """The providers of this process's sign-ins. `clock` counts seconds."""

    def __init__(self, line: Line, clock: Callable[[], float] = monotonic) -> None:
        self._line = line
        self._clock = clock
        self._known: OrderedDict[Place, _Known] = OrderedDict()
        self._locks: dict[Place, asyncio.Lock] = {}

    async def get(self, place: Place, issuer: str) -> Provider:
        """The provider's description. Raises ProviderTrouble, Invalid for an address out of reach."""
        return (await self._get(place, issuer)).provider

    async def keys(self, place: Place, issuer: str, *, anew: bool = False) -> list[Jwk]:
        """The keys that sign its ID tokens; `anew`: read again, unless that was done a moment ago. Raises as `get`."""
        known = await self._get(place, issuer)
        async with self._locks.setdefault(place, asyncio.Lock()):
            now_s = self._clock()
            wanted = anew and now_s - known.read_anew_at >= _NOT_AGAIN_S
            if wanted or now_s - known.keys_read_at > _KEPT_S:
                known.read_anew_at = now_s if anew else known.read_anew_at
                known.keys = await self._read_keys(known.provider.jwks_uri)
                known.keys_read_at = now_s
        return known.keys

    async def read(self, place: Place, issuer: str, reader: Callable[[list[Jwk]], Read]) -> Read:
        """What `reader` makes of a token with the keys of its provider; read anew where it names one that is not known.

        Raises as `keys` does, and as the reader does.
        """
        try:
            return reader(await self.keys(place, issuer))
        except UnknownKey:
            return reader(await self.keys(place, issuer, anew=True))

    def forget(self, place: Place) -> None:
        """Ask anew the next time."""
        self._known.pop(place, None)
        self._locks.pop(place, None)

    async def _get(self, place: Place, issuer: str) -> _Known:
        async with self._locks.setdefault(place, asyncio.Lock()):
            known = self._known.get(place)
            if known is None or known.provider.issuer != issuer or self._clock() - known.read_at > _KEPT_S:
                content = await self._read(issuer.rstrip("/") + _PATH)
                known = self._known[place] = _Known(self._described(issuer, content), self._clock())
            self._known.move_to_end(place)
        while len(self._known) > _MOST_KEPT:
            self.forget(next(iter(self._known)))
        return known

    def _described(self, issuer: str, said: Mapping[str, Any]) -> Provider:
        """Read a description. Raises ProviderTrouble for one by which nobody can sign in safely."""
        if said.get("issuer") != issuer:
            raise trouble(f"it calls itself {str(said.get('issuer'))[:200]!r}, and the sign-on {issuer!r}")
        _require(said, "response_types_supported", {"code"}, ["code"])
        _require(said, "code_challenge_methods_supported", {"S256"}, ["S256"])
        _require(said, "id_token_signing_alg_values_supported", set(ALGORITHMS), ["RS256"])
        methods = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        userinfo = "userinfo_endpoint"
        return Provider(
            issuer, self._endpoint(said, "authorization_endpoint"), self._endpoint(said, "token_endpoint"),
            self._endpoint(said, userinfo) if userinfo in said else None, self._endpoint(said, "jwks_uri"),
            "basic" if "client_secret_basic" in methods else "post",
            said.get("authorization_response_iss_parameter_supported") is True,
            said.get("backchannel_logout_supported") is True,
        )  # fmt: skip

    def _endpoint(self, said: Mapping[str, Any], name: str) -> str:
        url = said.get(name)
        try:
            if not isinstance(url, str) or "#" in url:
                raise Invalid("It is no address.")
            self._line.check(url)
        except Invalid as error:
            raise trouble(f"its {name} cannot be used ({error.detail.rstrip('.')})") from error
        return url

    async def _read_keys(self, url: str) -> list[Jwk]:
        found = (await self._read(url)).get("keys")
        usable = [key for key in found[:_MOST_KEYS] if is_usable(key)] if isinstance(found, list) else []
        if not usable:
            raise trouble("it has no key that may sign ID tokens (RSA of 2,048 bits or more, P-256, Ed25519)")
        return usable

    async def _read(self, url: str) -> Mapping[str, Any]:
        reply = await self._line.ask(Question(url))
        if reply.status != 200:
            raise trouble(f"{url} answers with status {reply.status}")
        return read_object(reply.content, url)


def read_object(content: bytes, url: str) -> dict[str, Any]:
    """A JSON object that a provider sent. Raises ProviderTrouble."""
    try:
        found = orjson.loads(content)
    except ValueError as error:
        raise trouble(f"{url} answers with no JSON") from error
    if not isinstance(found, dict):
        raise trouble(f"{url} answers with no JSON object")
    return found


def trouble(found: str) -> ProviderTrouble:
    """The error that says what is wrong with a provider."""
    return ProviderTrouble(
        f"The provider cannot be used: {found}. Try again, or tell an admin of your tenant."
    )


def _require(said: Mapping[str, Any], name: str, wanted: set[str], otherwise: list[str]) -> None:
    offered = said.get(name, otherwise)
    if not isinstance(offered, list) or not any(isinstance(each, str) and each in wanted for each in offered):
        raise trouble(f"its {name} lack {' and '.join(sorted(wanted))}")
