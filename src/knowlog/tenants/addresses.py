"""By which names a tenant is called: its slug, which the operator gives, and domains that it has proven to be its own."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.tenants.audit import record_as_operator, record_in_operators_chain
from knowlog.tenants.model import NO_TENANT, Principal

AddressKind = Literal["slug", "domain"]
ProofKind = Literal["dns", "http"]

_SQL = load_queries("knowlog.tenants", "addresses.sql")
_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?=.{{4,253}}\Z)(?:{_LABEL}\.)+(?!\d+\Z){_LABEL}")
_RESERVED = frozenset(
    ("www", "api", "app", "admin", "auth", "mail", "smtp", "static", "status", "docs", "localhost")
)
_MOST_DOMAINS = 20


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain that a tenant says is its own. It leads to the tenant once that is proven."""

    domain: str
    token: str
    proven_by: ProofKind | None
    proven_at: datetime | None
    checked_at: datetime | None
    problem: str | None
    created_at: datetime
    created_by: str


async def tenant_at(database: Database, kind: AddressKind, name: str) -> UUID | None:
    """Return the tenant that a slug or domain leads to, None for no tenant."""
    async with database.system() as connection:
        found: UUID | None = await connection.fetchval("select tenant_at($1, $2)", kind, name)
    return found


async def slugs_of(database: Database, tenant_ids: list[UUID]) -> dict[UUID, str]:
    """Return the slug of each of these tenants that has one."""
    async with database.system() as connection:
        rows = await connection.fetch("select * from addresses_of($1)", tenant_ids)
    return {row["leads_to"]: row["name"] for row in rows if row["kind"] == "slug"}


async def set_slug(database: Database, tenant_id: UUID, slug: str) -> None:
    """Call a tenant by this slug, and no longer by the one before. For the operator, who alone may learn of others'.

    Raises Invalid, NotFound, Conflict when another tenant has it.
    """
    _check_slug(slug)
    if await _take(database, tenant_id, "slug", slug) != tenant_id:
        raise Conflict(f"The slug {slug} is another tenant's. Choose another.")


def clean_domain(domain: str) -> str:
    """Return the domain in the form in which it is compared. Raises Invalid for what is no name of a host."""
    cleaned = domain.strip().lower().rstrip(".")
    try:
        cleaned = cleaned.encode("ascii" if cleaned.isascii() else "idna").decode("ascii")
    except UnicodeError as error:
        raise Invalid("The domain cannot be read. Give one such as docs.example.com.") from error
    if not _DOMAIN.fullmatch(cleaned):
        raise Invalid("A domain has letters, digits and hyphens between dots, such as docs.example.com.")
    return cleaned


async def add_domain(connection: Connection, creator: Principal, domain: str) -> tuple[Domain, bool]:
    """Note that the tenant says a domain is its own. Returns it, and whether it is new. Raises Invalid."""
    cleaned = clean_domain(domain)
    if await connection.fetchval(_SQL["count_domains"]) >= _MOST_DOMAINS:
        raise Invalid(f"A tenant has at most {_MOST_DOMAINS} domains. Delete one that is not needed.")
    row = await connection.fetchrow(
        _SQL["insert_domain"], cleaned, secrets.token_urlsafe(24), creator.scope.principal
    )
    return (Domain(**row), True) if row else (await get_domain(connection, cleaned), False)


async def get_domain(connection: Connection, domain: str) -> Domain:
    """Return one of the tenant's domains. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_domain"], domain.lower())
    if row is None:
        raise NotFound("Your tenant has not named this domain. `knowlog domains list` shows those it has.")
    return Domain(**row)


async def list_domains(connection: Connection) -> list[Domain]:
    """List the tenant's domains."""
    return [Domain(**row) for row in await connection.fetch(_SQL["list_domains"])]


async def note_proof(
    connection: Connection, domain: str, proven_by: ProofKind | None, problem: str | None
) -> Domain:
    """Note what a look at the domain has shown. Raises NotFound when it was deleted meanwhile."""
    row: Any = await connection.fetchrow(_SQL["note_proof"], domain, proven_by, problem)
    if row is None:
        return await get_domain(connection, domain)
    return Domain(**row)


async def take_domain(database: Database, tenant_id: UUID, domain: str) -> bool:
    """Let a domain that is proven lead to the tenant. False where it leads to another."""
    return await _take(database, tenant_id, "domain", domain) == tenant_id


async def drop_domain(database: Database, tenant_id: UUID, domain: str) -> bool:
    """Let a domain lead to the tenant no longer. False where it did not."""
    async with database.system() as connection:
        return bool(await connection.fetchval("select drop_address($1, 'domain', $2)", tenant_id, domain))


async def release_domain(database: Database, tenant_id: UUID, domain: str) -> bool:
    """Let a domain lead to the tenant no longer, by the operator. False where it did not."""
    place = await database.of(tenant_id)
    scope = Scope(tenant_id, "operator")
    async with _at_home(database, place, tenant_id) as connection:
        found = await connection.fetchval("select drop_address($1, 'domain', $2)", tenant_id, domain)
        if found:
            await _record(connection, database, place, scope, "domain.released", f"domain:{domain}")
    return bool(found)


async def delete_domain(connection: Connection, domain: str) -> None:
    """Forget that the tenant named a domain. Raises NotFound."""
    if await connection.fetchval(_SQL["delete_domain"], domain.lower()) is None:
        await get_domain(connection, domain)


async def _take(database: Database, tenant_id: UUID, kind: AddressKind, name: str) -> UUID:
    place = await database.of(tenant_id)
    async with _at_home(database, place, tenant_id) as connection:
        found: UUID | None = await connection.fetchval(
            "select take_address($1, $2, $3)", tenant_id, kind, name
        )
        if found is None:
            raise NotFound(NO_TENANT)
        if kind == "slug" and found == tenant_id:
            scope = Scope(tenant_id, "operator")
            told = {"slug": name}
            await _record(connection, database, place, scope, "tenant.addressed", f"tenant:{tenant_id}", told)
    return found


@asynccontextmanager
async def _at_home(database: Database, place: Database, tenant_id: UUID) -> AsyncIterator[Connection]:
    """A system transaction in the home, which has all names. Raises Unavailable while the tenant is being moved."""
    async with database.system() as connection:
        if place is database:
            await connection.execute("select enter($1)", tenant_id)
        yield connection


async def _record(
    connection: Connection, database: Database, place: Database, scope: Scope, action: str, subject: str,
    told: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Record what the operator does with a name: where the tenant is, and in the home."""
    if place is database:
        await record_as_operator(connection, scope, action, subject, told)
        return
    async with place.system_of(scope.tenant_id) as there:
        await record_as_operator(there, scope, action, subject, told)
    await record_in_operators_chain(connection, scope, action, subject, told)


def _check_slug(slug: str) -> None:
    if not _SLUG.fullmatch(slug) or slug in _RESERVED or slug.startswith("xn--"):
        raise Invalid(
            "A slug has 1 to 63 small letters, digits and hyphens, none at its ends, and is no name that servers have,"
            " such as www or api."
        )
    if re.fullmatch(r"[0-9a-f]{32}", slug.replace("-", "")):
        raise Invalid("A slug must not look like the id of a tenant. Choose another.")
