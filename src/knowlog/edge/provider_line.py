"""Asking the providers by which tenants sign in, without lending a tenant the server's place in its network.

A tenant names the provider, and the provider its endpoints: each is checked as `reach` has it, by https alone, and what
is called is the address that was checked. No redirect is followed: a secret of the client goes nowhere else. Hosts that
the operator allows may stand inside the network, and speak plain http.
"""

import asyncio

import httpx

from knowlog.edge.names import Resolver, resolve
from knowlog.edge.reach import Reach, checked_address, connection_to, parse_url
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import Invalid
from knowlog.tenants import ProviderTrouble, Question, Reply

_MOST_BYTES = 512 * 1024
_HEADERS = {"User-Agent": "knowlog", "Accept": "application/json", "Accept-Encoding": "identity"}


class ProviderLine:
    """The `Line` of a server."""

    def __init__(self, settings: ApiSettings, resolver: Resolver = resolve) -> None:
        setting, refusal = "KNOWLOG_API_SIGN_ON_PRIVATE_HOSTS", "nobody signs in by it. Give another"
        self._reach = Reach(frozenset({443}), settings.sign_on_private_hosts, setting, refusal)
        self._timeout_s = settings.sign_on_timeout_s
        self._resolver = resolver
        self._tls = httpx.create_ssl_context()

    def check(self, url: str) -> None:
        """Raise Invalid for what can be no address of a provider."""
        parsed = parse_url(url)
        host = parsed.raw_host.decode("ascii").strip("[]").lower()
        allowed = not {host, f"{host}:{parsed.port or 80}"}.isdisjoint(self._reach.private_hosts)
        if parsed.scheme != "https" and not allowed:
            raise Invalid("A provider is called by https. Give its address with https://.")

    async def ask(self, question: Question) -> Reply:
        """Ask once. Raises ProviderTrouble when nothing comes back in time, or too much; Invalid out of reach."""
        self.check(question.url)
        url = parse_url(question.url)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._ask(url, await checked_address(url, self._reach, self._resolver), question)
        except TimeoutError as error:
            raise _silent(url, f"does not answer in {self._timeout_s:g} seconds") from error
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            raise _silent(url, "cannot be reached") from error

    async def _ask(self, url: httpx.URL, address: str, question: Question) -> Reply:
        place, host, sni = connection_to(url, address)
        method, form = ("GET", None) if question.form is None else ("POST", dict(question.form))
        headers = {**_HEADERS, **question.headers, **host}
        async with (
            httpx.AsyncClient(trust_env=False, verify=self._tls, timeout=self._timeout_s) as client,
            client.stream(method, place, data=form, headers=headers, extensions=sni) as answer,
        ):
            content = bytearray()
            async for piece in answer.aiter_raw():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise _silent(url, f"answers with more than {_MOST_BYTES:,} bytes")
        return Reply(answer.status_code, bytes(content))


def _silent(url: httpx.URL, how: str) -> ProviderTrouble:
    return ProviderTrouble(f"The provider {how} ({url.host}). Try again, or tell an admin of your tenant.")
