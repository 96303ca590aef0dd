"""Which tenant a request is meant for, by its address and headers: hints, before anybody knows who is calling.

A hint opens nothing. The credential names its tenant itself, and a request is served only where every hint names that
one. Hints that disagree, that name nobody and that name another tenant get one and the same answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import urlsplit
from uuid import UUID

from starlette.types import Scope

from knowlog.database import Database
from knowlog.edge.settings import ApiSettings
from knowlog.kernel.errors import BadRequest, KnowlogError
from knowlog.tenants import AddressKind, tenant_at

TENANT_HEADER = b"x-knowlog-tenant"
_PREFIX = re.compile(r"/t/([^/]+)(/.*)")
_HOST = re.compile(r"([a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?)\.?(?::\d{1,5})?|\[([0-9a-f:.]+)\](?::\d{1,5})?")


class WrongTenant(KnowlogError):
    """Address, headers and credential do not name one tenant."""

    status: ClassVar[int] = 403
    code: ClassVar[str] = "wrong-tenant"


@dataclass(frozen=True, slots=True)
class Hint:
    """One name of a tenant: a slug, a domain, or its id."""

    kind: AddressKind | None
    name: str


class Hints:
    """Reads the hints that the settings allow."""

    def __init__(self, settings: ApiSettings) -> None:
        self._allowed = settings.tenant_hints
        self._base = (settings.base_domain or "").lower()
        public = urlsplit(settings.public_url).hostname if settings.public_url else None
        self._plain = {self._base, (public or "").lower(), *settings.plain_hosts}

    def read(self, scope: Scope, headers: Mapping[bytes, bytes], host: str) -> tuple[Hint, ...]:
        """Return the hints of a request; take a tenant's prefix off its path. Raises BadRequest for no name of a host."""
        found = []
        if self._allowed & {"subdomain", "domain"} and (named := self._by_host(host)):
            found.append(named)
        if "path" in self._allowed and (match := _PREFIX.fullmatch(scope["path"])):
            found.append(_by_name(match[1]))
            scope["path"], scope["raw_path"] = match[2], match[2].encode("utf-8", "surrogateescape")
        if "header" in self._allowed and (given := headers.get(TENANT_HEADER)) is not None:
            found.append(_by_name(given.decode("latin-1").strip()))
        return tuple(found)

    def _by_host(self, host: str) -> Hint | None:
        """The tenant that the host names: none where it is an address, a bare name, or a host of the installation."""
        match = _HOST.fullmatch(host.lower())
        if match is None:
            raise BadRequest("The Host header names no host. Send the one of the address that you call.")
        name = match[1]
        if name is None or "." not in name or _is_address(name) or name in self._plain:
            return None
        slug = name.removesuffix(f".{self._base}") if self._base else name
        if slug == name:
            return Hint("domain", name) if "domain" in self._allowed else Hint(None, "")
        return Hint("slug", slug) if "subdomain" in self._allowed else Hint(None, "")


async def hinted_tenant(database: Database, hints: tuple[Hint, ...]) -> UUID | None:
    """Return the tenant that all hints name. None where they disagree, name nobody, or there is none."""
    found = {await _tenant_of(database, hint) for hint in hints}
    return found.pop() if len(found) == 1 else None


async def check_hints(database: Database, hints: tuple[Hint, ...], tenant_id: UUID | None) -> None:
    """Raise WrongTenant unless every hint names this tenant; None: the caller is no tenant's."""
    if hints and (tenant_id is None or await hinted_tenant(database, hints) != tenant_id):
        raise WrongTenant(
            "The address, its headers and your key do not name one and the same tenant. Call the address of your own"
            " tenant, with a key of it."
        )


async def _tenant_of(database: Database, hint: Hint) -> UUID | None:
    if hint.kind is not None:
        return await tenant_at(database, hint.kind, hint.name)
    try:
        return UUID(hint.name)
    except ValueError:
        return None


def _by_name(name: str) -> Hint:
    """A tenant is named by its id or its slug."""
    try:
        UUID(name)
    except ValueError:
        return Hint("slug", name.lower()) if name.isascii() and "\0" not in name else Hint(None, "")
    return Hint(None, name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
