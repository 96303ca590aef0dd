"""Users and groups as the protocol's library asks for them, within one transaction of the tenant."""

from typing import Any, cast

from scim2_models import NotImplementedException, Resource, ResourceType, ResponseParameters, SearchRequest
from scim2_server.storage import AsyncScimStorage, SearchPage

from knowlog.database import Connection
from knowlog.provisioning import groups, users
from knowlog.provisioning.membership import Change
from knowlog.provisioning.schemas import Group, User
from knowlog.tenants import Principal


class Storage(AsyncScimStorage):
    """Reads and writes for `actor`. `changed` tells whether anything was."""

    def __init__(self, connection: Connection, actor: Principal) -> None:
        self.connection = connection
        self.actor = actor
        self.changed = False

    async def get(
        self,
        resource_type: ResourceType,
        resource_id: str,
        *,
        response_parameters: ResponseParameters[Any] | None = None,
    ) -> Resource[Any]:
        """Return one resource. Raises NotFoundException."""
        if _is_user(resource_type):
            return await users.get_user(self.connection, resource_id)
        return await groups.get_group(self.connection, resource_id, response_parameters)

    async def search(
        self, resource_types: list[ResourceType], search_request: SearchRequest[Any], *, position: Any = None
    ) -> SearchPage:
        """How many of one kind of resource fit, and a page of them. Raises NotImplementedException for both at once."""
        if len(resource_types) != 1:
            raise NotImplementedException(detail="Search in /Users or in /Groups: not in both at once.")
        look = users.find_users if _is_user(resource_types[0]) else groups.find_groups
        total, found = await look(self.connection, search_request)
        return SearchPage(total, cast(list[Resource[Any]], found))

    async def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        """Make a resource. Raises UniquenessException."""
        self.changed = True
        if isinstance(resource, User):
            return await users.create_user(self.connection, self.actor, resource)
        return await groups.create_group(self.connection, self.actor, cast(Group, resource))

    async def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        """Bring a resource into the given state. Raises NotFoundException, PreconditionFailedException."""
        if isinstance(resource, User):
            self.changed = True
            return await users.change_user(self.connection, self.actor, resource, expected_version)
        group, group_id = cast(Group, resource), resource.id or ""
        change = Change(cleared=True, joining=groups.listed(group))
        change.said = {"name": group.display_name or "", "external_id": group.external_id or ""}
        await self.change_group(group_id, change, expected_version)
        return await groups.get_group(self.connection, group_id, None)

    async def change_group(self, group_id: str, change: Change, seen: str | None) -> None:
        """Let members of a group join and leave. Raises as `update` does."""
        self.changed = await groups.change_group(self.connection, self.actor, group_id, change, seen)

    async def delete(
        self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None
    ) -> None:
        """Remove a resource. Raises NotFoundException, PreconditionFailedException."""
        self.changed = True
        remove = users.delete_user if _is_user(resource_type) else groups.remove_group
        await remove(self.connection, self.actor, resource_id, expected_version)


def _is_user(resource_type: ResourceType) -> bool:
    return resource_type.name == "User"
