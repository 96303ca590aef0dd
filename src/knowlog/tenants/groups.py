"""Groups: named sets of members. Who joins or leaves one is told at once, and so are the streams they have open."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from knowlog.bus import notify_progress
from knowlog.database import Connection, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, NotFound
from knowlog.tenants.audit import record
from knowlog.tenants.members import require_whole_tenant
from knowlog.tenants.model import Group, Principal
from knowlog.tenants.naming import name_in_addresses

_SQL = load_queries("knowlog.tenants", "members.sql")


async def create_group(connection: Connection, actor: Principal, name: str) -> Group:
    """Make a group without members. Raises Invalid for a name that cannot be, Conflict for one that is taken."""
    require_whole_tenant(actor)
    group_id = new_id()
    try:
        await connection.execute(
            _SQL["insert_group"], group_id, name_in_addresses(name), actor.scope.principal
        )
    except asyncpg.UniqueViolationError as error:
        raise _taken(name) from error
    return await _recorded(connection, actor, "group.created", str(group_id))


async def get_group(connection: Connection, name_or_id: str) -> Group:
    """Return a group by its name or id. Raises NotFound."""
    row = await connection.fetchrow(_SQL["get_group"], name_or_id)
    if row is None:
        raise NotFound(
            f"There is no group {name_or_id[:200]!r}. `GET /v1/groups` lists yours, as `knowlog groups list` does."
        )
    return _group(row)


async def list_groups(connection: Connection, after: str | None = None, most: int = 100) -> list[Group]:
    """List groups by name, from behind the name `after`."""
    return [_group(row) for row in await connection.fetch(_SQL["list_groups"], after, most)]


async def rename_group(connection: Connection, actor: Principal, name_or_id: str, name: str) -> Group:
    """Give a group another name. Raises NotFound, Invalid, Conflict."""
    require_whole_tenant(actor)
    group = await get_group(connection, name_or_id)
    try:
        await connection.execute(_SQL["rename_group"], group.group_id, name_in_addresses(name))
    except asyncpg.UniqueViolationError as error:
        raise _taken(name) from error
    return await _recorded(connection, actor, "group.renamed", str(group.group_id))


async def delete_group(connection: Connection, actor: Principal, name_or_id: str) -> Group:
    """Delete a group; its members stay members of the tenant. Raises NotFound."""
    require_whole_tenant(actor)
    group = await _recorded(connection, actor, "group.deleted", name_or_id)
    await _tell(connection, actor, await connection.fetch(_SQL["delete_group"], group.group_id))
    return group


async def add_to_group(
    connection: Connection, actor: Principal, name_or_id: str, members: Sequence[UUID]
) -> Group:
    """Let members join a group; those who are in it stay. Raises NotFound for a group or member that is not there."""
    require_whole_tenant(actor)
    group = await get_group(connection, name_or_id)
    await exchange_members(connection, actor, group.group_id, members, ())
    return await _recorded(connection, actor, "group.joined", str(group.group_id), members)


async def remove_from_group(
    connection: Connection, actor: Principal, name_or_id: str, members: Sequence[UUID]
) -> Group:
    """Let members leave a group; those who are not in it change nothing. Raises NotFound for the group."""
    require_whole_tenant(actor)
    group = await get_group(connection, name_or_id)
    await exchange_members(connection, actor, group.group_id, (), members)
    return await _recorded(connection, actor, "group.left", str(group.group_id), members)


async def exchange_members(
    connection: Connection,
    actor: Principal,
    group_id: UUID,
    joining: Sequence[UUID],
    leaving: Sequence[UUID],
) -> tuple[list[UUID], list[UUID]]:
    """Let members join a group and leave it. Returns who was not in it, and who was. What this is for is the caller's to
    record. Raises NotFound for a member that is not there.
    """
    known = {row["member_id"] for row in await connection.fetch(_SQL["members_among"], list(joining))}
    for each in joining:
        if each not in known:
            raise NotFound(f"There is no member {each}. `GET /v1/members` lists them.")
    joined = await connection.fetch(_SQL["join_group"], group_id, list(joining))
    left = await connection.fetch(_SQL["leave_group"], group_id, list(leaving))
    await _tell(connection, actor, (*joined, *left))
    return [row["member_id"] for row in joined], [row["member_id"] for row in left]


async def _tell(connection: Connection, actor: Principal, changed: Iterable[Any]) -> None:
    for row in changed:
        await notify_progress(connection, actor.scope.tenant_id, row["member_id"])


async def _recorded(
    connection: Connection, actor: Principal, action: str, name_or_id: str, members: Sequence[UUID] = ()
) -> Group:
    """The group as it is, of which the audit log is told."""
    group = await get_group(connection, name_or_id)
    detail = {"name": group.name, **({"members": [str(each) for each in members]} if members else {})}
    await record(connection, actor.scope, action, f"group:{group.group_id}", detail)
    return group


def _taken(name: str) -> Conflict:
    return Conflict(f"There is a group {name!r} already. Choose another name, or use that one.")


def _group(row: Any) -> Group:
    return Group(**dict(row))
