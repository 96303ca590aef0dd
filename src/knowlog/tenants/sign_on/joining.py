"""Who comes in by a sign-on: an account of the provider is a member, with the role and the groups that the claims give.

An account is known by its subject. An e-mail address counts once, when the account is new: where the provider says that
it is verified, and speaks for its domain; and it is looked for in this tenant alone. The member that is found or made
belongs to the person of that address, of whom the session can touch nothing elsewhere: no password, tenant or session.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from knowlog.database import Connection, Scope, load_queries
from knowlog.kernel.errors import Invalid
from knowlog.tenants.audit import record
from knowlog.tenants.groups import add_to_group, remove_from_group
from knowlog.tenants.members import change_member, clean_email, ensure_member, find_member, get_member
from knowlog.tenants.model import ROLES, Member, Principal, Role
from knowlog.tenants.sign_on.id_tokens import refused
from knowlog.tenants.sign_on.model import Account, NotLetIn, SignOn

_SQL = load_queries("knowlog.tenants.sign_on")
_MOST_GROUPS = 2_000


def account_of(sign_on: SignOn, claims: Mapping[str, Any]) -> Account:
    """Who somebody is, by the claims of an ID token and of the userinfo endpoint. Raises BadIdToken, NotLetIn."""
    verified = claims.get("email_verified", sign_on.trusts_emails)
    email, name = claims.get("email"), claims.get("name")
    return Account(
        subject=claims["sub"],
        email=email if isinstance(email, str) and verified is True else None,
        name=name.strip()[:200] if isinstance(name, str) and name.isprintable() and name.strip() else None,
        groups=_groups(sign_on.groups_claim, claims),
    )


def says_all(sign_on: SignOn, claims: Mapping[str, Any]) -> bool:
    """Whether the ID token says all that is wanted, so that the userinfo endpoint need not be asked."""
    by_groups = bool(sign_on.roles or sign_on.groups)
    has_groups = not by_groups or _found(sign_on.groups_claim, claims) is not None
    return has_groups and "email" in claims and ("email_verified" in claims or sign_on.trusts_emails)


def joined(claims: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What the ID token says, and the userinfo endpoint besides: nothing of an address other than the token's."""
    another = "email" in claims and claims["email"] != told.get("email")
    return {
        **{name: said for name, said in told.items() if not (another and name.startswith("email"))},
        **claims,
    }


async def let_in(connection: Connection, tenant_id: UUID, sign_on: SignOn, account: Account) -> Member:
    """The member whose account this is, with role and groups as the claims have them. Raises NotLetIn."""
    actor = Principal(Scope(tenant_id, f"sign-on:{sign_on.name}"), "admin")
    role = _role(sign_on, account)
    known = await connection.fetchval(_SQL["use_identity"], sign_on.name, account.subject)
    if known is not None:
        member = await get_member(connection, known)
    else:
        member = await _welcome(connection, actor, sign_on, account, role)
    _check_domain(sign_on, member.email)
    if member.disabled_at is not None:
        raise NotLetIn("You are disabled in this tenant. Ask one of its admins.")
    if sign_on.roles and member.role not in (role, "owner"):
        await change_member(connection, actor, member.member_id, role)
    await _put_into_groups(connection, actor, sign_on, account, member)
    await connection.execute(_SQL["note_use"], sign_on.name)
    return member


async def _welcome(
    connection: Connection, actor: Principal, sign_on: SignOn, account: Account, role: Role
) -> Member:
    """The member of a new account: the one with its address, or a new one. Raises NotLetIn."""
    email = _own_address(sign_on, account)
    if not sign_on.creates_members and await find_member(connection, email) is None:
        raise NotLetIn("You are no member of this tenant. Ask one of its admins to make you one.")
    member = await ensure_member(connection, email, role, actor.scope.principal, account.name)
    await connection.execute(_SQL["insert_identity"], sign_on.name, account.subject, member.member_id)
    if await connection.fetchval(_SQL["use_identity"], sign_on.name, account.subject) != member.member_id:
        raise NotLetIn(
            "Another account of your provider has come in with this e-mail address. Ask an admin of the tenant to remove"
            " the member of that address first."
        )
    detail = {"member_id": str(member.member_id), "subject": account.subject}
    await record(connection, actor.scope, "sign_on.linked", f"sign-on:{sign_on.name}", detail)
    return member


def _own_address(sign_on: SignOn, account: Account) -> str:
    """The e-mail address of an account, if the provider may speak for it. Raises NotLetIn."""
    try:
        email = clean_email(account.email or "")
    except Invalid as error:
        raise NotLetIn(
            "Your provider names no e-mail address of yours that is verified. Have it verify yours, or ask an admin of"
            " the tenant."
        ) from error
    _check_domain(sign_on, email)
    return email


def _check_domain(sign_on: SignOn, email: str) -> None:
    if email.rpartition("@")[2] not in sign_on.domains:
        raise NotLetIn(
            "Your e-mail address is of a domain that this sign-on is not for. Ask an admin of the tenant."
        )


def _role(sign_on: SignOn, account: Account) -> Role:
    """The highest role that the groups give. Raises NotLetIn where they give none."""
    given = [role for value, role in sign_on.roles.items() if value in account.groups]
    given += [sign_on.default_role] if sign_on.default_role else []
    if not given:
        raise NotLetIn("You are in none of the groups that are let in. Ask an admin of the tenant.")
    return max(given, key=ROLES.index)


async def _put_into_groups(
    connection: Connection, actor: Principal, sign_on: SignOn, account: Account, member: Member
) -> None:
    """Let the member join and leave the groups that this sign-on fills; of others it knows nothing."""
    rows = await connection.fetch(_SQL["groups_of"], sign_on.name)
    filled = {row["group_id"] for row in rows}
    wanted = {row["group_id"] for row in rows if row["value"] in account.groups}
    present = filled & set(member.groups)
    for group_id in sorted(wanted - present):
        await add_to_group(connection, actor, str(group_id), [member.member_id])
    for group_id in sorted(present - wanted):
        await remove_from_group(connection, actor, str(group_id), [member.member_id])


def _groups(claim: str, claims: Mapping[str, Any]) -> frozenset[str]:
    """The values of the groups' claim; none where it is absent. Raises BadIdToken, NotLetIn where they were left out."""
    if claims.get("hasgroups") is True or claim in (claims.get("_claim_names") or {}):
        raise NotLetIn(
            "You are in more groups than your provider tells. Have it tell those alone that are assigned to knowlog."
        )
    found = _found(claim, claims)
    values = [found] if isinstance(found, str) else found or []
    if not isinstance(values, list) or len(values) > _MOST_GROUPS:
        raise refused(f"its claim {claim} is no list of groups")
    return frozenset(each for each in values if isinstance(each, str))


def _found(claim: str, claims: Mapping[str, Any]) -> Any:
    """A claim by its name, or by its path: realm_access.roles."""
    if claim in claims:
        return claims[claim]
    found: Any = claims
    for part in claim.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
