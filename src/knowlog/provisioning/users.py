"""Users: members of the tenant, as an identity provider sees and keeps them.

What is said of a user is said of the membership alone: another address passes it to the person of that address, and
nobody's own address, password or other memberships change. Whoever is admin or owner here can be shut out, and no more.
"""

from typing import Any
from uuid import UUID

import asyncpg
from scim2_models import (
    Meta,
    Name,
    NotFoundException,
    SearchRequest,
    UniquenessException,
)

from knowlog.bus import notify_progress
from knowlog.database import Connection, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Forbidden, Invalid
from knowlog.provisioning.filters import Columns, Id, Several
from knowlog.provisioning.looking import find_page
from knowlog.provisioning.model import as_id, require_version, version_of
from knowlog.provisioning.schemas import Email, GroupMembership, Role, User
from knowlog.tenants import (
    Member,
    Principal,
    clean_email,
    clean_name,
    disable_member,
    enable_member,
    end_sessions_of_member,
    get_member,
    record,
    remove_member,
)

_SQL = load_queries("knowlog.provisioning")
_COLUMNS = Columns(
    {
        "id": Id("u.member_id"),
        "external_id": "u.external_id",
        "user_name": "u.user_name",
        "display_name": "u.display_name",
        "active": "u.active",
        "meta.resource_type": "'User'::text",
        "meta.created": "u.created_at",
        "meta.last_modified": "u.changed_at",
        "name.formatted": "u.spoken ->> 'formatted'",
        "name.family_name": "u.spoken ->> 'familyName'",
        "name.given_name": "u.spoken ->> 'givenName'",
        "name.middle_name": "u.spoken ->> 'middleName'",
        "name.honorific_prefix": "u.spoken ->> 'honorificPrefix'",
        "name.honorific_suffix": "u.spoken ->> 'honorificSuffix'",
    },
    {
        "schemas": Several(f"(values ('{User.__schema__}')) e (value)", {"value": "e.value"}),
        "emails": Several(
            "jsonb_array_elements(u.emails) e",
            {
                "value": "e ->> 'value'",
                "display": "e ->> 'display'",
                "type": "e ->> 'type'",
                "primary": "(e ->> 'primary')::boolean",
            },
        ),
        "groups": Several(
            "(select g.group_id, g.name from group_members j"
            " join groups g on g.tenant_id = j.tenant_id and g.group_id = j.group_id"
            " where j.tenant_id = tenant() and j.member_id = u.member_id) e",
            {"value": Id("e.group_id"), "display": "e.name"},
        ),
        "roles": Several("(values (u.role)) e (value)", {"value": "e.value"}),
    },
    {"u.user_name": "u.user_key"},
)
_LONGEST = 254
_MOST_ADDRESSES = 20


async def get_user(connection: Connection, user_id: str) -> User:
    """Return a user. Raises NotFoundException, for what is no id too."""
    member_id = as_id(user_id)
    row = member_id and await connection.fetchrow(f"{_SQL['users']} and u.member_id = $1", member_id)
    if not row:
        raise NotFoundException(detail=f"There is no user {user_id[:100]!r}.")
    return _user(row)


async def find_users(connection: Connection, asked: SearchRequest[Any]) -> tuple[int, list[User]]:
    """How many users there are that fit, and a page of them, in the order in which they came."""
    total, rows = await find_page(connection, _SQL["users"], _COLUMNS, "u.member_id", asked)
    return total, [_user(row) for row in rows]


async def create_user(connection: Connection, actor: Principal, wanted: User) -> User:
    """Make somebody a member, with the role reader.

    Raises UniquenessException for one who is there, Invalid for one without an e-mail address.
    """
    address = _address(wanted)
    if address is None:
        raise Invalid("A user needs an e-mail address: give one in emails, or as userName.")
    user_name = await _free_user_name(connection, wanted, None)
    member_id = await connection.fetchval(
        _SQL["insert_user"], new_id(), address, new_id(), _called(wanted, address.partition("@")[0]),
        actor.scope.principal, user_name, _short(wanted.external_id, "externalId"), _provided(wanted),
        wanted.active is not False,
    )  # fmt: skip
    if member_id is None:
        raise _taken()
    return await _recorded(connection, actor, "member.added", member_id)


async def change_user(connection: Connection, actor: Principal, wanted: User, seen: str | None) -> User:
    """Bring a user into the wanted state. `seen` is the version that this builds upon.

    Raises NotFoundException, PreconditionFailedException, UniquenessException; Forbidden for what provisioning may not do
    to admins and owners; Conflict for the last owner.
    """
    user_id = wanted.id or ""
    member_id = await _locked(connection, user_id, seen)
    present = await get_member(connection, member_id)
    address = _next_address(present, wanted)
    user_name = await _free_user_name(connection, wanted, member_id)
    called = _called(wanted, present.name)
    try:
        if address != present.email:
            await connection.execute(_SQL["move_user"], member_id, address, new_id())
            await end_sessions_of_member(connection, actor.scope.tenant_id, member_id, "another address")
        await connection.execute(
            _SQL["keep_user"], member_id, called, user_name, _short(wanted.external_id, "externalId"),
            _provided(wanted),
        )  # fmt: skip
    except asyncpg.UniqueViolationError as error:
        raise _taken() from error
    if wanted.active is None or wanted.active == (present.disabled_at is None):
        return await _recorded(connection, actor, "member.changed", member_id)
    await (enable_member if wanted.active else disable_member)(connection, actor, member_id)
    return await get_user(connection, user_id)


async def delete_user(connection: Connection, actor: Principal, user_id: str, seen: str | None) -> None:
    """Remove a member, and withdraw the invitations that would let them in again. Raises as `change_user` does."""
    gone = await remove_member(connection, actor, await _locked(connection, user_id, seen))
    for row in await connection.fetch(_SQL["withdraw_invitations"], gone.email):
        await record(connection, actor.scope, "invitation.withdrawn", f"invitation:{row['invitation_id']}")


async def _locked(connection: Connection, user_id: str, seen: str | None) -> UUID:
    """The id of a user whom nobody else changes until the transaction ends, and who is in the state that was seen."""
    member_id = as_id(user_id)
    await connection.execute(_SQL["lock_user"], member_id)
    require_version(await get_user(connection, user_id), seen)
    assert member_id is not None
    return member_id


def _next_address(present: Member, wanted: User) -> str:
    """Where the member signs in from now on. Raises Forbidden for what only people may do to an admin or owner.

    Shutting somebody out never fails for another reason: then the address stays.
    """
    address = _address(wanted) or present.email
    if present.role not in ("admin", "owner"):
        return address
    if wanted.active is False:
        return present.email
    if address != present.email:
        raise Forbidden(
            f"This user is {present.role} here: provisioning does not give the role to another address."
        )
    if wanted.active and present.disabled_at is not None:
        raise Forbidden(f"This user is {present.role} here: only an owner can enable them again.")
    return address


def _address(wanted: User) -> str | None:
    """The address of a user: the primary one, else one for work, else any, else the userName if it is one."""
    given = [each for each in wanted.emails or () if each.value]
    given.sort(key=lambda each: (each.primary is not True, each.type != Email.Type.work))
    if given:
        return clean_email(given[0].value or "")
    try:
        return clean_email(wanted.user_name or "")
    except Invalid:
        return None


async def _free_user_name(connection: Connection, wanted: User, member_id: UUID | None) -> str:
    user_name = _short((wanted.user_name or "").strip(), "userName")
    if not user_name:
        raise Invalid("A userName has 1 to 254 characters.")
    if await connection.fetchval(_SQL["user_name_taken"], user_name, member_id):
        raise _taken()
    return user_name


def _called(wanted: User, otherwise: str) -> str:
    """What the member is called, of all that was said."""
    name = wanted.name or Name()
    whole = " ".join(filter(None, (name.given_name, name.family_name)))
    return clean_name(wanted.display_name or name.formatted or whole or otherwise)


def _provided(wanted: User) -> dict[str, Any]:
    """What is kept as it was said."""
    if len(wanted.emails or ()) > _MOST_ADDRESSES:
        raise Invalid(f"A user has at most {_MOST_ADDRESSES} e-mail addresses.")
    emails = [each.model_dump() for each in wanted.emails or ()]
    name = wanted.name.model_dump() if wanted.name else {}
    for each in (*emails, name):
        for part, value in each.items():
            _short(value if isinstance(value, str) else None, part)
    told = {"emails": emails, "name": name or None, "displayName": wanted.display_name or None}
    return {part: value for part, value in told.items() if value is not None}


def _short(value: str | None, name: str) -> str | None:
    """A value that may be kept. Raises Invalid."""
    if value and (len(value) > _LONGEST or not value.isprintable()):
        raise Invalid(f"{name} has at most {_LONGEST} characters, all of them printable.")
    return value or None


async def _recorded(connection: Connection, actor: Principal, action: str, member_id: UUID) -> User:
    """The user after a change, of which the audit log and open streams are told."""
    member = await get_member(connection, member_id)
    state = "disabled" if member.disabled_at else "enabled"
    detail = {"email": member.email, "role": member.role, "state": state}
    await record(connection, actor.scope, action, f"member:{member_id}", detail)
    await notify_progress(connection, actor.scope.tenant_id, member_id)
    return await get_user(connection, str(member_id))


def _taken() -> UniquenessException:
    return UniquenessException(detail="There is a user with this userName or e-mail address already.")


def _user(row: Any) -> User:
    state = [
        row[name]
        for name in ("user_name", "external_id", "display_name", "active", "role", "emails", "groups")
    ]
    return User(
        id=str(row["member_id"]),
        external_id=row["external_id"],
        meta=Meta(
            resource_type="User",
            created=row["created_at"],
            last_modified=row["changed_at"],
            version=version_of(row["member_id"], row["spoken"], *state),
        ),
        user_name=row["user_name"],
        name=Name.model_validate(row["spoken"]) if row["spoken"] else None,
        display_name=row["display_name"],
        active=row["active"],
        emails=[Email.model_validate(each) for each in row["emails"]] or None,
        groups=[
            GroupMembership.model_validate({"value": group_id, "$ref": f"Groups/{group_id}", "display": name})
            for group_id, name in row["groups"]
        ] or None,
        roles=[Role(value=row["role"])],
    )  # fmt: skip
