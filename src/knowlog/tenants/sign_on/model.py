"""The nouns of single sign-on, and what can go wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal

from knowlog.kernel.errors import Forbidden, KnowlogError
from knowlog.tenants.model import Role

Result = Literal["opened", "stale", "denied", "provider", "bad_token", "not_let_in"]
"""How a sign-in by a provider can end."""


@dataclass(frozen=True, slots=True)
class SignOn:
    """An OpenID provider by which members of one tenant sign in to it, and whom it may let in.

    `domains`: it speaks for e-mail addresses of these alone. `trusts_emails`: those of which it does not say whether they
    are verified count as verified. `default_role`: of who is in no group that `roles` (value of the claim -> role) names;
    None: they are not let in. `groups`: value of the claim -> name of the group that it fills. `enforced`: no session of
    the tenant is opened with a password.
    """

    name: str
    issuer: str
    client_id: str
    has_secret: bool
    scopes: tuple[str, ...]
    domains: tuple[str, ...]
    trusts_emails: bool
    creates_members: bool
    default_role: Role | None
    roles: Mapping[str, Role]
    groups_claim: str
    groups: Mapping[str, str]
    session_hours: int
    enforced: bool
    created_at: datetime
    created_by: str
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a sign-on should be; None: as it is, or as it is without being told. Its name and issuer stay as they are."""

    client_id: str | None = None
    client_secret: str | None = None
    scopes: tuple[str, ...] | None = None
    domains: tuple[str, ...] | None = None
    trusts_emails: bool | None = None
    creates_members: bool | None = None
    default_role: Role | Literal["none"] | None = None
    roles: Mapping[str, Role] | None = None
    groups_claim: str | None = None
    groups: Mapping[str, str] | None = None
    session_hours: int | None = None
    enforced: bool | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """Who somebody is at the provider, as its claims say. `email` is None unless it is known to be theirs."""

    subject: str
    email: str | None
    name: str | None
    groups: frozenset[str] = field(default_factory=frozenset)


class SignOnNeeded(Forbidden):
    """The password is right, and this tenant's members sign in by its provider. `sign_on` says where."""

    code = "sign-on-needed"


class SignOnFailed(KnowlogError):
    """A sign-in by a provider that came to nothing. `result` is counted."""

    status, code = 401, "sign-on-failed"
    result: ClassVar[Result] = "stale"


class StaleSignOn(SignOnFailed):
    """Not begun here, begun in another browser or too long ago, or finished already."""


class SignOnDenied(SignOnFailed):
    """The provider, or the person in front of it, said no."""

    result = "denied"


class BadIdToken(SignOnFailed):
    """The provider's ID token cannot be believed. `reason`: what is wrong with it, in words that fit other tokens too."""

    result = "bad_token"
    reason: str = ""


class UnknownKey(BadIdToken):
    """The key that is said to have signed an ID token is not among the provider's, as far as they are known."""


class BadLogoutToken(KnowlogError):
    """What is said to be a provider's logout token ends nothing."""

    status, code = 400, "logout-refused"


class ProviderTrouble(SignOnFailed):
    """The provider does not answer, or says what it may not."""

    status, code, permanent = 503, "provider-trouble", False
    result = "provider"


class NotLetIn(SignOnFailed):
    """The provider says who it is, and this tenant does not let them in."""

    status, code = 403, "not-let-in"
    result = "not_let_in"
