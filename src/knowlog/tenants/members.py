"""Members: people in a tenant, with a role there. Whatever changes a member's rights holds from its next call on."""

import re
from typing import Any
from uuid import UUID

from knowlog.bus import notify_progress
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from knowlog.tenants.audit import record
from knowlog.tenants.model import Member, Principal, Role, subjects_of
from knowlog.tenants.naming import clean_name, known_role

_SQL = load_queries("knowlog.tenants", "members.sql")
_OWNERS = load_queries("knowlog.tenants")["other_owner"]
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")
_LONGEST_EMAIL = 254


async def add_member(
    connection: Connection, actor: Principal, email: str, role: Role = "reader", name: str | None = None
) -> Member:
    """Make a person a member. Raises Invalid, Forbidden for a role above the actor's, Conflict for a member's address."""
    address, role = clean_email(email), known_role(role)
    require_whole_tenant(actor)
    if not actor.may(role):
        raise Forbidden(f"With the role {actor.role} you cannot make a member with the role {role}.")
    member_id = await _insert(connection, address, role, name, actor.scope.principal)
    if member_id is None:
        raise Conflict("There is a member with this e-mail address already. `GET /v1/members` lists them.")
    return await _recorded(connection, actor.scope, "member.added", await get_member(connection, member_id))


async def ensure_member(
    connection: Connection, email: str, role: Role, created_by: str, name: str | None = None
) -> Member:
    """The member of an address, made with `role` if there is none: for sign-on and provisioning, which ask nobody.

    One that is there comes back as it is, disabled or not. Raises Invalid for what is no e-mail address.
    """
    address = clean_email(email)
    made = await _insert(connection, address, role, name, created_by)
    found = await get_member(connection, await connection.fetchval(_SQL["member_by_email"], address))
    if made is None:
        return found
    scope = Scope(await connection.fetchval("select tenant()"), created_by)
    return await _recorded(connection, scope, "member.added", found)


async def get_member(connection: Connection, member_id: UUID) -> Member:
    """Return one member. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_member"], member_id)
    if row is None:
        raise NotFound("There is no such member. `GET /v1/members` lists them.")
    return _member(row)


async def find_member(connection: Connection, email: str) -> Member | None:
    """The member of an e-mail address, if there is one."""
    found = await connection.fetchval(_SQL["member_by_email"], email.strip().lower())
    return None if found is None else await get_member(connection, found)


async def list_members(
    connection: Connection, after: UUID | None = None, most: int = 100, group_id: UUID | None = None
) -> list[Member]:
    """List members in the order in which they came, from behind `after`: all, or those of one group."""
    return [_member(row) for row in await connection.fetch(_SQL["list_members"], after, most, group_id)]


async def change_member(
    connection: Connection,
    actor: Principal,
    member_id: UUID,
    role: Role | None = None,
    name: str | None = None,
) -> Member:
    """Give a member another role or name.

    Raises NotFound, Forbidden for a role above the actor's, had or to be given, Conflict for the last owner's.
    """
    member = await _manageable(connection, actor, member_id)
    if role is not None and not actor.may(known_role(role)):
        raise Forbidden(f"With the role {actor.role} you cannot give the role {role}.")
    if role not in (None, "owner"):
        await _keep_an_owner(connection, member)
    await connection.execute(
        _SQL["update_member"], member_id, role, None if name is None else clean_name(name)
    )
    return await _told(connection, actor.scope, member_id)


async def disable_member(connection: Connection, actor: Principal, member_id: UUID) -> Member:
    """Let a member open nothing from now on. Raises as `change_member` does."""
    await _keep_an_owner(connection, await _manageable(connection, actor, member_id))
    await connection.execute(_SQL["switch_member"], member_id, True)
    return await _told(connection, actor.scope, member_id)


async def enable_member(connection: Connection, actor: Principal, member_id: UUID) -> Member:
    """Undo `disable_member`; whoever it is signs in anew. Raises NotFound, Forbidden."""
    await _manageable(connection, actor, member_id)
    await connection.execute(_SQL["switch_member"], member_id, False)
    return await _told(connection, actor.scope, member_id)


async def remove_member(connection: Connection, actor: Principal, member_id: UUID) -> Member:
    """Remove a member, with its sessions and from its groups. Raises as `change_member` does."""
    member = await _manageable(connection, actor, member_id)
    await _keep_an_owner(connection, member)
    await connection.execute(_SQL["delete_member"], member_id)
    await notify_progress(connection, actor.scope.tenant_id, member_id)
    return await _recorded(connection, actor.scope, "member.removed", member)


async def member_principal(database: Database, tenant_id: UUID, member_id: UUID) -> Principal:
    """A member as the caller of this moment. Raises Unauthenticated for one that is disabled or gone."""
    async with database.transaction(Scope(tenant_id, "authentication")) as connection:
        row = await connection.fetchrow(_SQL["member_rights"], member_id)
    if row is None:
        raise Unauthenticated("You are no member of this tenant any more. Ask one of its admins.")
    return principal_of(tenant_id, member_id, row)


def principal_of(tenant_id: UUID, member_id: UUID, row: Any, session_id: UUID | None = None) -> Principal:
    """The principal of a member whose role and groups `row` has."""
    subjects = subjects_of(row["role"], (member_id, *row["groups"]))
    scope = Scope(tenant_id, f"member:{member_id}", subjects=subjects)
    return Principal(scope, row["role"], member_id=member_id, session_id=session_id)


def require_whole_tenant(actor: Principal) -> None:
    """Raise Forbidden for a key that is limited to some collections: members and groups are the whole tenant's."""
    if actor.scope.collections is not None:
        raise Forbidden("Your key is limited to some collections and does not see members and groups.")


def clean_email(email: str) -> str:
    """Return an e-mail address in the form in which it is kept: lower case. Raises Invalid.

    ASCII alone: letters that look alike, or become alike in lower case, would let one address pass for another.
    """
    if not email.isascii():
        raise Invalid("An e-mail address has ASCII characters alone; write a domain of others as xn--...")
    address = email.strip().lower()
    if len(address) > _LONGEST_EMAIL or not _EMAIL.fullmatch(address):
        raise Invalid("This is no e-mail address. Give one such as bob@example.com.")
    return address


async def _insert(
    connection: Connection, address: str, role: Role, name: str | None, created_by: str
) -> UUID | None:
    called = clean_name(name or address.partition("@")[0])
    member_id: UUID | None = await connection.fetchval(
        _SQL["insert_member"], new_id(), address, new_id(), called, role, created_by
    )
    return member_id


async def _manageable(connection: Connection, actor: Principal, member_id: UUID) -> Member:
    """A member that the actor may change."""
    require_whole_tenant(actor)
    member = await get_member(connection, member_id)
    if not actor.may(member.role):
        raise Forbidden(
            f"A member with the role {member.role} is managed by the role {member.role} or above."
        )
    return member


async def _keep_an_owner(connection: Connection, member: Member) -> None:
    owns = member.role == "owner" and member.disabled_at is None
    if owns and not await connection.fetchval(_OWNERS, member.member_id):
        raise Conflict("This is the last owner. Make another first, or nobody can manage the tenant.")


async def _told(connection: Connection, scope: Scope, member_id: UUID) -> Member:
    """The member after a change, of which its open streams are told."""
    await notify_progress(connection, scope.tenant_id, member_id)
    return await _recorded(connection, scope, "member.changed", await get_member(connection, member_id))


async def _recorded(connection: Connection, scope: Scope, action: str, member: Member) -> Member:
    state = "disabled" if member.disabled_at else "enabled"
    detail = {"email": member.email, "role": member.role, "state": state}
    await record(connection, scope, action, f"member:{member.member_id}", detail)
    return member


def _member(row: Any) -> Member:
    return Member(**{**dict(row), "groups": tuple(row["groups"])})
