"""The nouns of tenants: tenant, key, member, group, role, principal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args
from uuid import UUID

from knowlog.database import Scope
from knowlog.kernel.errors import Forbidden

Role = Literal["reader", "editor", "admin", "owner"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most that one may do."""
KeyRole = Literal["reader", "editor", "admin", "owner", "provisioner"]
"""What a key may do: as a member, or keep members and groups for an identity provider, and nothing else."""

NO_TENANT = "There is no such tenant. `knowlog tenants list` shows those that there are."


@dataclass(frozen=True, slots=True)
class Tenant:
    """An isolated customer. Everything stored belongs to exactly one. Workers are shared by `weight`.

    While it is suspended its calls are refused and workers leave its jobs; nothing of it is lost. `silo`: the database of
    its own in which it lives; None for the home.
    """

    tenant_id: UUID
    name: str
    created_at: datetime
    document_count: int = 0
    weight: int = 1
    suspended_at: datetime | None = None
    suspended_because: str | None = None
    silo: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An API key as it may be shown: all but the secret. `collections` is None for a key to all of the tenant's. For
    `groups` it stands where documents are for some only.
    """

    key_id: UUID
    name: str
    hint: str
    role: KeyRole
    collections: tuple[UUID, ...] | None
    groups: tuple[UUID, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def subjects_of(role: KeyRole, subjects: Iterable[UUID]) -> frozenset[UUID] | None:
    """For whom one with this role stands in lists of who may see a document. None for owners and admins, who may
    change those lists: they see every document.
    """
    return None if role in ("admin", "owner") else frozenset(subjects)


@dataclass(frozen=True, slots=True)
class Member:
    """A person in one tenant, with a role there. One that is disabled keeps its groups and opens nothing.

    `provisioned_at`: since when an identity provider keeps the member, if one does.
    """

    member_id: UUID
    email: str
    name: str
    role: Role
    groups: tuple[UUID, ...]
    created_at: datetime
    created_by: str
    disabled_at: datetime | None
    last_seen_at: datetime | None
    provisioned_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A named set of members of one tenant."""

    group_id: UUID
    name: str
    member_count: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, with what right, and what the call may touch: a key, or a member in a session of theirs."""

    scope: Scope
    role: KeyRole
    key_id: UUID | None = None
    member_id: UUID | None = None
    session_id: UUID | None = None

    @property
    def watched(self) -> tuple[UUID, ...]:
        """What is reported (`bus.notify_progress`) when the principal's rights change or end."""
        return tuple(each for each in (self.key_id, self.member_id, self.session_id) if each is not None)

    def may(self, role: KeyRole) -> bool:
        """Say whether the principal may do what `role` may. What a provisioner may, an owner may too, and nobody else."""
        if self.role == "provisioner" or role == "provisioner":
            return role == "provisioner" and self.role in ("provisioner", "owner")
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: KeyRole) -> None:
        """Raise Forbidden unless the principal may do what `role` may."""
        if not self.may(role):
            holder, wanted = ("you have", "it") if self.member_id else ("your key has", "a key with it")
            giver = "an admin" if role in ("reader", "editor") else "an owner"
            raise Forbidden(
                f"This needs the role {role}; {holder} the role {self.role}. Ask {giver} of your tenant for {wanted}."
            )
