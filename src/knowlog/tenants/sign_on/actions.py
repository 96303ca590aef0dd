"""What owners do with the sign-ons of their tenant."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, get_args
from uuid import UUID

import asyncpg

from knowlog.bus import notify_progress
from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel import now
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.tenants.addresses import clean_domain
from knowlog.tenants.audit import record
from knowlog.tenants.groups import create_group, get_group
from knowlog.tenants.members import require_whole_tenant
from knowlog.tenants.model import Principal, Role
from knowlog.tenants.sign_on.model import SignOn, Wanted
from knowlog.tenants.vault import Vault

_SQL = load_queries("knowlog.tenants.sign_on")
NAME = "^[a-z0-9][a-z0-9-]{0,62}$"
GIVEN: tuple[Role, ...] = tuple(each for each in get_args(Role) if each != "owner")
"""The roles that a sign-on can give: owners stay in the tenant's own hands, and are its way back."""
_MOST = 10
_ISSUER = re.compile(r"https?://[\x21-\x22\x24-\x3e\x40-\x7e]{3,480}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
_OFTEN = ("openid", "email", "profile")
_MOST_DOMAINS, _MOST_VALUES = 50, 500
_LONGEST_VALUE, _LONGEST_CLIENT, _LONGEST_SECRET = 200, 500, 4_000


async def add_sign_on(
    connection: Connection, actor: Principal, vault: Vault, name: str, issuer: str, wanted: Wanted
) -> SignOn:
    """Make a sign-on. Raises Invalid, Conflict for a name that is taken, and when there are too many."""
    require_whole_tenant(actor)
    _check_names(name, issuer)
    if await connection.fetchval(_SQL["count_sign_ons"]) >= _MOST:
        raise Conflict(f"There are {_MOST} sign-ons already. Remove one that is not needed.")
    if not wanted.client_id or not wanted.domains:
        raise Invalid("A sign-on needs a client_id, and the e-mail domains that its provider speaks for.")
    made = _with(_blank(name, issuer, actor), wanted)
    sealed = await _sealed(connection, vault, name, wanted.client_secret)
    try:
        await connection.execute(
            _SQL["insert_sign_on"],
            name,
            issuer,
            made.client_id,
            sealed,
            *_columns(made),
            actor.scope.principal,
        )
    except asyncpg.UniqueViolationError as error:
        raise Conflict(
            f"There is a sign-on {name} already. Choose another name, or change that one."
        ) from error
    await _fill(connection, actor, name, made.groups)
    return await _recorded(connection, actor.scope, "sign_on.added", name)


async def list_sign_ons(connection: Connection) -> list[SignOn]:
    """List the tenant's sign-ons by name. Nobody reads their secrets back."""
    return [_sign_on(row) for row in await connection.fetch(_SQL["list_sign_ons"], None)]


async def get_sign_on(connection: Connection, name: str) -> SignOn:
    """Return one sign-on. Raises NotFound."""
    row = await connection.fetchrow(_SQL["list_sign_ons"], name)
    if row is None:
        raise NotFound("There is no such sign-on. `knowlog sign-on list` shows those of your tenant.")
    return _sign_on(row)


async def change_sign_on(
    connection: Connection, actor: Principal, vault: Vault, name: str, wanted: Wanted
) -> SignOn:
    """Change a sign-on. Enforcing it ends every session that was opened with a password.

    Raises NotFound, Invalid, Conflict for enforcing one that nobody has signed in by.
    """
    require_whole_tenant(actor)
    await connection.execute(_SQL["lock_sign_on"], name)
    found = await get_sign_on(connection, name)
    changed = _with(found, wanted)
    if changed.enforced and found.last_used_at is None:
        raise Conflict(
            "Nobody has signed in by it yet. Do so once before it is enforced, or nobody could come in."
        )
    sealed = await _sealed(connection, vault, name, wanted.client_secret)
    columns = (changed.client_id, sealed, *_columns(changed), changed.enforced)
    await connection.execute(_SQL["update_sign_on"], name, *columns)
    if wanted.groups is not None:
        await _fill(connection, actor, name, changed.groups)
    if changed.enforced and not found.enforced:
        await _end(connection, actor.scope, await connection.fetch(_SQL["end_password_sessions"]))
    return await _recorded(connection, actor.scope, "sign_on.changed", name)


async def remove_sign_on(connection: Connection, actor: Principal, name: str) -> SignOn:
    """Remove a sign-on; sessions that it opened end, its members and groups stay. Raises NotFound."""
    require_whole_tenant(actor)
    found = await _recorded(connection, actor.scope, "sign_on.removed", name)
    await _end(connection, actor.scope, await connection.fetch(_SQL["end_its_sessions"], name))
    await connection.execute(_SQL["delete_sign_on"], name)
    return found


async def secret_of(connection: Connection, vault: Vault, name: str) -> str | None:
    """The client's secret, for the provider alone; None for a client without one. Raises Unavailable."""
    sealed = await connection.fetchval(_SQL["sealed_secret"], name)
    return None if sealed is None else await vault.open(connection, purpose_of_sign_on(name), sealed)


def purpose_of_sign_on(name: str) -> str:
    """What the vault binds a sign-on's secret to."""
    return f"sign-on:{name}"


def _blank(name: str, issuer: str, actor: Principal) -> SignOn:
    """A sign-on as it is without being told otherwise."""
    return SignOn(
        name=name, issuer=issuer, client_id="", has_secret=False, scopes=_OFTEN, domains=(), trusts_emails=False,
        creates_members=True, default_role="reader", roles={}, groups_claim="groups", groups={}, session_hours=12,
        enforced=False, created_at=now(), created_by=actor.scope.principal, last_used_at=None,
    )  # fmt: skip


def _with(found: SignOn, wanted: Wanted) -> SignOn:
    """A sign-on as it should be. Raises Invalid."""
    told = {each.name: getattr(wanted, each.name) for each in fields(wanted) if each.name != "client_secret"}
    told = {name: value for name, value in told.items() if value is not None}
    if "default_role" in told:
        told["default_role"] = None if wanted.default_role == "none" else wanted.default_role
    made = replace(found, **told)
    _check_terms(made)
    scopes = tuple(dict.fromkeys(("openid", *made.scopes)))
    return replace(made, scopes=scopes, domains=tuple(sorted({clean_domain(each) for each in made.domains})))


def _check_names(name: str, issuer: str) -> None:
    if not re.fullmatch(NAME, name):
        raise Invalid("A sign-on's name has 1 to 63 small letters, digits and hyphens, such as company.")
    if not _ISSUER.fullmatch(issuer) or "?" in issuer:
        raise Invalid(
            "The issuer is the provider's address as it names itself, such as https://login.example.com."
        )


def _check_terms(made: SignOn) -> None:
    given = [*made.roles.values(), *([made.default_role] if made.default_role else [])]
    if any(each not in GIVEN for each in given):
        raise Invalid(f"A sign-on gives one of the roles {', '.join(GIVEN)}. Owners are made by owners.")
    if not made.default_role and not made.roles:
        raise Invalid("Without a default_role and without roles nobody would be let in. Give one of them.")
    values = (*made.roles, *made.groups, made.groups_claim)
    if not all(1 <= len(each) <= _LONGEST_VALUE and each.isprintable() for each in values):
        raise Invalid(f"A claim, and each value of it, has 1 to {_LONGEST_VALUE} printable characters.")
    if not all(_SCOPE.fullmatch(each) for each in made.scopes):
        raise Invalid("A scope has no blank, no quotation mark and no backslash, such as email.")
    if not 1 <= len(made.client_id) <= _LONGEST_CLIENT or not made.client_id.isprintable():
        raise Invalid("The client_id is what the provider calls this client. Copy it from there.")
    if len(made.domains) > _MOST_DOMAINS or len(made.roles) + len(made.groups) > _MOST_VALUES:
        raise Invalid(f"A sign-on has at most {_MOST_DOMAINS} domains, and {_MOST_VALUES} values of claims.")


async def _sealed(connection: Connection, vault: Vault, name: str, secret: str | None) -> bytes | None:
    if secret is None:
        return None
    if not 1 <= len(secret) <= _LONGEST_SECRET or "\0" in secret:
        raise Invalid(f"A client's secret has 1 to {_LONGEST_SECRET:,} characters and no NUL.")
    return await vault.seal(connection, purpose_of_sign_on(name), secret)


def _columns(made: SignOn) -> tuple[Any, ...]:
    return (
        list(made.scopes), list(made.domains), made.trusts_emails, made.creates_members, made.default_role,
        dict(made.roles), made.groups_claim, made.session_hours,
    )  # fmt: skip


async def _fill(connection: Connection, actor: Principal, name: str, groups: Mapping[str, str]) -> None:
    """Let the sign-on fill these groups, made where there are none. Raises Invalid, Conflict for another sign-on's."""
    await connection.execute(_SQL["forget_groups"], name)
    filled: dict[str, UUID] = {}
    for value, group in groups.items():
        try:
            filled[value] = (await get_group(connection, group)).group_id
        except NotFound:
            filled[value] = (await create_group(connection, actor, group)).group_id
    taken = await connection.fetchval(_SQL["filled_by_others"], name, list(filled.values()))
    if taken:
        raise Conflict(
            f"The group {taken!r} is filled by another sign-on. A group has one that says who is in it."
        )
    await connection.executemany(_SQL["insert_group"], [(name, *each) for each in filled.items()])


async def _end(connection: Connection, scope: Scope, ended: list[Any]) -> None:
    for row in ended:
        await notify_progress(connection, scope.tenant_id, row["session_id"])


async def _recorded(connection: Connection, scope: Scope, action: str, name: str) -> SignOn:
    """The sign-on as it is, of which the audit log is told."""
    found = await get_sign_on(connection, name)
    detail = {
        "issuer": found.issuer, "client_id": found.client_id, "domains": list(found.domains), "roles": dict(found.roles),
        "default_role": found.default_role, "enforced": found.enforced,
    }  # fmt: skip
    await record(connection, scope, action, f"sign-on:{name}", detail)
    return found


def _sign_on(row: Any) -> SignOn:
    return SignOn(**{**dict(row), "scopes": tuple(row["scopes"]), "domains": tuple(row["domains"])})
