"""Groups of the tenant, as an identity provider sees and keeps them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg
from scim2_models import (
    InvalidValueException,
    Meta,
    NotFoundException,
    ResponseParameters,
    SearchRequest,
    TooManyException,
    UniquenessException,
)

from knowlog.database import Connection, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Invalid, NotFound
from knowlog.provisioning.filters import Columns, Id, Several
from knowlog.provisioning.looking import find_page
from knowlog.provisioning.membership import Change, member_ids
from knowlog.provisioning.model import as_id, require_version, version_of
from knowlog.provisioning.schemas import Group, GroupMember
from knowlog.tenants import Principal, clean_name, delete_group, exchange_members, record

_SQL = load_queries("knowlog.provisioning")
_COLUMNS = Columns(
    {
        "id": Id("u.group_id"),
        "external_id": "u.external_id",
        "display_name": "u.name",
        "meta.resource_type": "'Group'::text",
        "meta.created": "u.created_at",
        "meta.last_modified": "u.changed_at",
    },
    {
        "schemas": Several(f"(values ('{Group.__schema__}')) e (value)", {"value": "e.value"}),
        "members": Several(
            "(select j.member_id from group_members j where j.tenant_id = tenant() and j.group_id = u.group_id) e",
            {"value": Id("e.member_id"), "type": "'User'::text"},
        ),
    },
    {"u.name": "u.name_key"},
)
_LONGEST = 254
MOST_MEMBERS = 20_000
"""That one answer lists: a larger group is read with excludedAttributes=members, and changed by PATCH."""


async def get_group(connection: Connection, group_id: str, wanted: ResponseParameters[Any] | None) -> Group:
    """Return a group, with its members if they are wanted. Raises NotFoundException, TooManyException."""
    row = await _row(connection, group_id)
    return (await _groups(connection, [row], members=_wants_members(wanted)))[0]


async def read_group(connection: Connection, group_id: str) -> Group:
    """Return a group without its members, in the version that it has with them. Raises NotFoundException."""
    return _group(await _row(connection, group_id), ())


async def _row(connection: Connection, group_id: str) -> Any:
    found = as_id(group_id)
    row = found and await connection.fetchrow(f"{_SQL['groups']} and u.group_id = $1", found)
    if not row:
        raise NotFoundException(detail=f"There is no group {group_id[:100]!r}.")
    return row


async def find_groups(connection: Connection, asked: SearchRequest[Any]) -> tuple[int, list[Group]]:
    """How many groups there are that fit, and a page of them, in the order in which they came."""
    total, rows = await find_page(connection, _SQL["groups"], _COLUMNS, "u.group_id", asked)
    return total, await _groups(connection, rows, members=_wants_members(asked))


async def create_group(connection: Connection, actor: Principal, wanted: Group) -> Group:
    """Make a group, with its members. Raises UniquenessException, InvalidValueException for members who are not there."""
    name, group_id = clean_name(wanted.display_name or ""), new_id()
    said = (name, actor.scope.principal, _external(wanted.external_id))
    if await connection.fetchval(_SQL["insert_group"], group_id, *said) is None:
        raise _taken(name)
    joined, _ = await _exchange(connection, actor, group_id, Change(joining=listed(wanted)))
    await record(
        connection, actor.scope, "group.created", f"group:{group_id}", {"name": name, "members": joined}
    )
    return await get_group(connection, str(group_id), None)


async def change_group(
    connection: Connection, actor: Principal, group_id: str, change: Change, seen: str | None
) -> bool:
    """Let members join and leave a group, and rename it, if its version is `seen`. Returns whether anything changed.

    Raises NotFoundException, PreconditionFailedException, UniquenessException, and InvalidValueException for members who
    are not there.
    """
    found = as_id(group_id)
    await connection.execute(_SQL["lock_group"], found)
    present = await read_group(connection, group_id)
    require_version(present, seen)
    assert found is not None
    name = clean_name(change.said.get("name", present.display_name) or "")
    external_id = _external(change.said.get("external_id", present.external_id))
    joined, left = await _exchange(connection, actor, found, change)
    if not joined and not left and (name, external_id) == (present.display_name, present.external_id):
        return False
    try:
        await connection.execute(_SQL["keep_group"], found, name, external_id)
    except asyncpg.UniqueViolationError as error:
        raise _taken(name) from error
    detail = {"name": name, "joined": joined, "left": left}
    await record(connection, actor.scope, "group.provisioned", f"group:{found}", detail)
    return True


async def bound_looks(connection: Connection, group_id: str, operations: int) -> None:
    """Raise InvalidValueException where operations that look at every member would look at too many."""
    count = await connection.fetchval(_SQL["count_in_groups"], [as_id(group_id)], MOST_MEMBERS)
    if count * operations > MOST_MEMBERS:
        raise InvalidValueException(
            detail="This group is large, and each of these operations looks at all of its members. Send fewer at once, or"
            ' name members as in members[value eq "..."].'
        )


async def remove_group(connection: Connection, actor: Principal, group_id: str, seen: str | None) -> None:
    """Delete a group. Its members stay members of the tenant. Raises NotFoundException, PreconditionFailedException."""
    await connection.execute(_SQL["lock_group"], as_id(group_id))
    require_version(await read_group(connection, group_id), seen)
    await delete_group(connection, actor, group_id.lower())


def listed(wanted: Group) -> set[UUID]:
    """The users that a group lists. Raises InvalidValueException for what cannot be one."""
    return member_ids([{"value": each.value, "type": each.type} for each in wanted.members or ()])


async def _exchange(
    connection: Connection, actor: Principal, group_id: UUID, change: Change
) -> tuple[list[UUID], list[UUID]]:
    """Let members join and leave. Returns who did."""
    joining, leaving = change.joining, change.leaving
    if change.cleared:
        rows = await connection.fetch(_SQL["ids_in_group"], group_id)
        leaving = {row["member_id"] for row in rows} - joining
    try:
        return await exchange_members(connection, actor, group_id, sorted(joining), sorted(leaving))
    except NotFound as error:
        raise InvalidValueException(detail=error.detail) from error


async def _groups(connection: Connection, rows: Sequence[Any], *, members: bool) -> list[Group]:
    if not members:
        return [_group(row, ()) for row in rows]
    ids = [row["group_id"] for row in rows]
    if await connection.fetchval(_SQL["count_in_groups"], ids, MOST_MEMBERS) > MOST_MEMBERS:
        raise TooManyException(
            detail=f"This would list more than {MOST_MEMBERS:,} members. Add excludedAttributes=members, or ask for fewer"
            " groups at once."
        )
    inside: dict[UUID, list[UUID]] = {group_id: [] for group_id in ids}
    for each in await connection.fetch(_SQL["in_groups"], ids):
        inside[each["group_id"]].append(each["member_id"])
    return [_group(row, inside[row["group_id"]]) for row in rows]


def _wants_members(wanted: ResponseParameters[Any] | None) -> bool:
    """Whether an answer shows members: by default it does."""
    if wanted is None or not (wanted.attributes or wanted.excluded_attributes):
        return True
    named = {
        each.parts[0].lower() for each in wanted.attributes or wanted.excluded_attributes or () if each.parts
    }
    return ("members" in named) == bool(wanted.attributes)


def _external(value: str | None) -> str | None:
    if value and (len(value) > _LONGEST or not value.isprintable()):
        raise Invalid(f"externalId has at most {_LONGEST} characters, all of them printable.")
    return value or None


def _taken(name: str) -> UniquenessException:
    return UniquenessException(detail=f"There is a group {name!r} already.")


def _group(row: Any, members: Sequence[UUID]) -> Group:
    version = version_of(row["group_id"], row["name"], row["external_id"], row["state"])
    return Group(
        id=str(row["group_id"]),
        external_id=row["external_id"],
        meta=Meta(
            resource_type="Group", created=row["created_at"], last_modified=row["changed_at"], version=version
        ),
        display_name=row["name"],
        members=[_member(each) for each in members] or None,
    )


def _member(member_id: UUID) -> GroupMember:
    return GroupMember.model_validate({"value": str(member_id), "$ref": f"Users/{member_id}", "type": "User"})
