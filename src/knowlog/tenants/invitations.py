"""Invitations: a mailed link, good once and for a while, that makes the owner of one address a member with one role.

The link is in the mail and nowhere else: not in an answer, not in the database (which has hashes), not in a job. So
whoever accepts has read that mailbox, and nobody takes hold of another's address by inviting it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from knowlog.bus import append_events
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Forbidden, NotFound, Unauthenticated
from knowlog.tenants import throttle
from knowlog.tenants.audit import record
from knowlog.tenants.members import clean_email, ensure_member, find_member, require_whole_tenant
from knowlog.tenants.model import Member, Principal, Role
from knowlog.tenants.naming import known_role
from knowlog.tenants.passwords import check_own_words, check_password, hash_password, is_password
from knowlog.tenants.people_settings import PeopleSettings
from knowlog.tenants.vault import INSTALLATION

_SQL = load_queries("knowlog.tenants", "invitations.sql")
_PEOPLE = load_queries("knowlog.tenants", "people.sql")
_NO_LINK = "This invitation is not valid, or not any more. Ask an admin of the tenant for another one."
_TRIED_AN_HOUR = 60


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation that waits to be accepted. `failure`: why its mail could not be sent."""

    invitation_id: UUID
    email: str
    role: Role
    created_at: datetime
    created_by: str
    expires_at: datetime
    sent_at: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is invited to. `has_password`: accepting takes the password that they have, not a new one."""

    tenant: str
    email: str
    role: Role
    expires_at: datetime
    has_password: bool


@dataclass(frozen=True, slots=True)
class _Link:
    tenant_id: UUID
    invitation_id: UUID
    secret_hash: bytes

    @property
    def scope(self) -> Scope:
        return Scope(self.tenant_id, f"invitation:{self.invitation_id}")


async def invite(
    connection: Connection, actor: Principal, email: str, role: Role, settings: PeopleSettings
) -> Invitation:
    """Invite the owner of an address, in place of an earlier invitation. A worker mails the link.

    Raises Invalid, Forbidden for a role above the actor's, Conflict for one who is a member.
    """
    address, role = clean_email(email), known_role(role)
    require_whole_tenant(actor)
    if not actor.may(role):
        raise Forbidden(f"With the role {actor.role} you cannot invite somebody to the role {role}.")
    if await find_member(connection, address):
        raise Conflict("There is a member with this e-mail address already. `GET /v1/members` lists them.")
    await connection.execute(_SQL["await_invitation"], address)
    invitation_id = new_id()
    life = timedelta(days=settings.invitation_days)
    await connection.execute(
        _SQL["insert_invitation"], invitation_id, address, role, actor.scope.principal, life
    )
    await append_events(connection, "mail.requested", [(invitation_id, {"letter": "invitation"})])
    detail = {"email": address, "role": role}
    await record(connection, actor.scope, "invitation.created", f"invitation:{invitation_id}", detail)
    return await get_invitation(connection, invitation_id)


async def list_invitations(connection: Connection) -> list[Invitation]:
    """List the invitations that can be accepted, newest first."""
    return [Invitation(**row) for row in await connection.fetch(_SQL["list_invitations"], None)]


async def get_invitation(connection: Connection, invitation_id: UUID) -> Invitation:
    """Return one invitation that can be accepted. Raises NotFound."""
    row = await connection.fetchrow(_SQL["list_invitations"], invitation_id)
    if row is None:
        raise NotFound("There is no such invitation. `GET /v1/invitations` lists those that are open.")
    return Invitation(**row)


async def withdraw_invitation(connection: Connection, actor: Principal, invitation_id: UUID) -> Invitation:
    """Let nobody accept an invitation any more. Raises NotFound."""
    require_whole_tenant(actor)
    found = await get_invitation(connection, invitation_id)
    await connection.execute(_SQL["withdraw_invitation"], invitation_id)
    await record(connection, actor.scope, "invitation.withdrawn", f"invitation:{invitation_id}")
    return found


async def read_invitation(database: Database, token: str, origin: str) -> Offer:
    """What a link invites to. Raises NotFound for one that is good no more, LimitReached."""
    link = await _link(database, token, origin)
    row = await _open(database, link)
    person = await _person(await database.of(link.tenant_id), row["email"])
    return Offer(row["tenant"], row["email"], row["role"], row["expires_at"], _has_password(person))


async def accept_invitation(
    database: Database, settings: PeopleSettings, token: str, password: str, name: str | None, origin: str
) -> Member:
    """Make the owner of the invited address a member. Who has a password gives that one, others choose one.

    Raises NotFound for a link that is good no more, Unauthenticated for a wrong password, Invalid, LimitReached.
    """
    link = await _link(database, token, origin)
    row = await _open(database, link)
    place = await database.of(link.tenant_id)
    person = await _person(place, row["email"])
    hashed = None
    if _has_password(person):
        await _check_own_password(place, person, password, origin)
    else:
        check_password(password, settings.breached_passwords)
        check_own_words(password, row["email"])
        hashed = await hash_password(password)
    async with database.transaction(link.scope) as connection:
        if not await connection.fetchval(_SQL["accept_invitation"], link.invitation_id, link.secret_hash):
            raise NotFound(_NO_LINK)
        member = await ensure_member(connection, row["email"], row["role"], row["created_by"], name)
        detail = {"member_id": str(member.member_id)}
        subject = f"invitation:{link.invitation_id}"
        await record(connection, link.scope, "invitation.accepted", subject, detail)
        if hashed:
            await connection.execute(_SQL["first_password"], member.member_id, hashed)
    return member


async def _check_own_password(database: Database, person: Any, password: str, origin: str) -> None:
    attempt = throttle.Attempt(origin, person["email"])
    await throttle.begin(database, attempt)
    if not await is_password(password, person["password_hash"]):
        raise Unauthenticated(
            "You have a password here already, and this is not it. Give that one, or have it set anew by mail first."
        )
    async with database.transaction(INSTALLATION) as connection:
        await throttle.succeed(connection, attempt, person["person_id"])


async def _person(database: Database, email: str) -> Any:
    async with database.transaction(INSTALLATION) as connection:
        return await connection.fetchrow(_PEOPLE["find_person"], email)


def _has_password(person: Any) -> bool:
    return person is not None and person["password_hash"] is not None


async def _open(database: Database, link: _Link) -> Any:
    async with database.transaction(link.scope) as connection:
        row = await connection.fetchrow(_SQL["open_invitation"], link.invitation_id, link.secret_hash)
    if row is None:
        raise NotFound(_NO_LINK)
    return row


async def _link(database: Database, token: str, origin: str) -> _Link:
    """Read a link `ki_<tenant>_<invitation>_<secret>`. Raises NotFound, LimitReached for one who tries many."""
    await throttle.count_asking(database, "invitations", origin, _TRIED_AN_HOUR)
    try:
        kind, tenant, invitation, secret = token.split("_", 3)
        if kind != "ki" or len(secret) != 43:
            raise ValueError
        return _Link(UUID(hex=tenant), UUID(hex=invitation), sha256(secret.encode()).digest())
    except ValueError as error:
        raise NotFound(_NO_LINK) from error
