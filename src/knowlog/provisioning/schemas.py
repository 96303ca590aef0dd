"""What an identity provider may say of users and groups (RFC 7643): a part of the core schema, published as such.

What stands in none of these models is taken in silence and kept nowhere: titles, telephone numbers, above all passwords.
"""

from typing import Annotated, Any, ClassVar

from pydantic import Field
from scim2_models import (
    URN,
    AuthenticationScheme,
    Bulk,
    CaseExact,
    ChangePassword,
    ComplexAttribute,
    ETag,
    ExtensibleStringEnum,
    Filter,
    Mutability,
    Name,
    Patch,
    Reference,
    Required,
    Resource,
    ScimPolicy,
    ScimProvider,
    ServiceProviderConfig,
    Sort,
    Uniqueness,
)

MOST_PER_PAGE = 200


class Email(ComplexAttribute):
    """An e-mail address of a user. The primary one is where the member signs in."""

    class Type(ExtensibleStringEnum):
        """What the address is for."""

        work = "work"
        home = "home"
        other = "other"

    value: str | None = None
    display: str | None = None
    type: Type | None = None
    primary: bool | None = None


class GroupMembership(ComplexAttribute):
    """A group that a user is in. It is changed in the group."""

    value: Annotated[str | None, Mutability.read_only, CaseExact.true] = None
    ref: Annotated[Reference["Group"] | None, Mutability.read_only] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    display: Annotated[str | None, Mutability.read_only] = None


class Role(ComplexAttribute):
    """The role of a member, which provisioning does not change."""

    value: Annotated[str | None, Mutability.read_only] = None


class User(Resource[Any]):
    """A member of the tenant."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:User")

    user_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    name: Name | None = None
    display_name: str | None = None
    active: bool | None = None
    emails: list[Email] | None = None
    groups: Annotated[list[GroupMembership] | None, Mutability.read_only] = None
    roles: Annotated[list[Role] | None, Mutability.read_only] = None

    Emails: ClassVar[type[ComplexAttribute]] = Email


class GroupMember(ComplexAttribute):
    """A user in a group. Groups are not nested."""

    value: Annotated[str | None, Mutability.immutable, CaseExact.true] = None
    ref: Annotated[Reference["User"] | None, Mutability.immutable] = Field(
        None, serialization_alias="$ref", validation_alias="$ref"
    )
    type: Annotated[str | None, Mutability.immutable] = Field(None, examples=["User"])


class Group(Resource[Any]):
    """A group of members."""

    __schema__ = URN("urn:ietf:params:scim:schemas:core:2.0:Group")

    display_name: Annotated[str | None, Uniqueness.server, Required.true] = None
    members: list[GroupMember] | None = None


_CONFIG = ServiceProviderConfig(
    patch=Patch(supported=True),
    bulk=Bulk(supported=False, max_operations=0, max_payload_size=0),
    filter=Filter(supported=True, max_results=MOST_PER_PAGE),
    change_password=ChangePassword(supported=False),
    sort=Sort(supported=False),
    etag=ETag(supported=True),
    authentication_schemes=[
        AuthenticationScheme(
            type=AuthenticationScheme.Type.oauthbearertoken,
            name="API key",
            description="An API key with the role provisioner, in the header Authorization: Bearer.",
            primary=True,
        )
    ],
)

_TOLERANCE = ScimPolicy(
    unknown=ScimPolicy.Unknown.ignore,  # Entra ID and Okta send what they have
    remove_value_as_filter=ScimPolicy.RemoveValue.apply,  # Entra ID names in `value` which members leave
    unmatched_path_filter=ScimPolicy.UnmatchedPathFilter.create,  # and replaces addresses that are not there yet
)

PROVIDER = ScimProvider(models=[User, Group], config=_CONFIG, policy=_TOLERANCE)
"""What is published at ServiceProviderConfig, ResourceTypes and Schemas."""
