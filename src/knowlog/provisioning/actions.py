"""Answering the requests of an identity provider (SCIM 2.0, RFC 7643 and 7644)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from scim2_models import (
    InvalidFilterException,
    InvalidValueException,
    PatchOp,
    Resource,
    ResourceType,
    SCIMException,
    SearchRequest,
)
from scim2_server.conditions import Conditions
from scim2_server.errors import MethodNotAllowedException
from scim2_server.handler import AsyncScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.service import ScimService

from knowlog.database import Connection
from knowlog.kernel.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    KnowlogError,
    NotFound,
    PreconditionFailed,
    TooLarge,
    UnsupportedType,
)
from knowlog.provisioning import groups
from knowlog.provisioning.membership import read_change
from knowlog.provisioning.schemas import PROVIDER
from knowlog.provisioning.storage import Storage
from knowlog.tenants import Principal, require_whole_tenant

Asked = ScimRequest
_LONGEST_FILTER = 4000
_MOST_OPERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request; `changed` tells whether it changed anything."""

    status: int
    body: dict[str, Any] | None
    headers: Mapping[str, str]
    changed: bool


class WrongMethod(KnowlogError):
    """There is such an address, which answers other methods."""

    status: ClassVar[int] = 405
    code: ClassVar[str] = "method-not-allowed"


class Unsupported(KnowlogError):
    """A part of the protocol that is declared as not supported."""

    status: ClassVar[int] = 501
    code: ClassVar[str] = "unsupported"


_ERRORS: Mapping[int, type[KnowlogError]] = {
    each.status: each
    for each in (
        BadRequest, Forbidden, NotFound, WrongMethod, Conflict, PreconditionFailed, TooLarge, UnsupportedType, Unsupported
    )
}  # fmt: skip


class _Protocol(ScimService):
    """The library's protocol, with bounds on what one request may ask for."""

    def read_search(self, resource_types: list[ResourceType], payload: Any) -> tuple[SearchRequest[Any], Any]:
        """Read a search. Raises InvalidFilterException for a filter that is too long."""
        asked = payload.items() if isinstance(payload, dict) else ()
        if any(name.lower() == "filter" and len(str(value)) > _LONGEST_FILTER for name, value in asked):
            raise InvalidFilterException(detail=f"A filter has at most {_LONGEST_FILTER:,} characters.")
        return super().read_search(resource_types, payload)

    def read_patch(
        self, resource_type: ResourceType, body: bytes, content_type: str | None
    ) -> "PatchOp[Any]":
        """Read a PATCH. Raises InvalidValueException for one of too many operations."""
        asked = super().read_patch(resource_type, body, content_type)
        if len(asked.operations or ()) > _MOST_OPERATIONS:
            raise InvalidValueException(detail=f"A PATCH has at most {_MOST_OPERATIONS:,} operations.")
        return asked


class _Handler(AsyncScimHandler):
    """The library's handler, which changes the members of a group without loading them. `shown` of an answer that is to
    show the group.
    """

    def __init__(self, storage: Storage, *, shown: bool) -> None:
        super().__init__(_PROTOCOL, storage)
        self._storage = storage
        self._shown = shown

    async def patch_resource(
        self, resource_type: ResourceType, resource_id: str, patch_op: "PatchOp[Any]", conditions: Conditions
    ) -> Resource[Any]:
        """Apply a PATCH. Raises as the verbs of users and groups do."""
        if resource_type.name != "Group":
            return await super().patch_resource(resource_type, resource_id, patch_op, conditions)
        connection = self._storage.connection
        present = await groups.read_group(connection, resource_id)
        change = read_change(patch_op, resource_id)
        if change is None:
            await groups.bound_looks(connection, resource_id, len(patch_op.operations or ()))
            return await super().patch_resource(resource_type, resource_id, patch_op, conditions)
        self.service.check_preconditions(present, "PATCH", conditions)
        assert present.meta is not None
        await self._storage.change_group(resource_id, change, present.meta.version)
        if self._shown:
            return await groups.get_group(connection, resource_id, None)
        return await groups.read_group(connection, resource_id)


_PROTOCOL = _Protocol(PROVIDER)


async def answer(connection: Connection, caller: Principal, asked: Asked) -> Answered:
    """Answer a request of an identity provider, in a transaction of the caller's tenant.

    Raises KnowlogError, with `scim_type` in its extra where the protocol has a word for it: commit nothing then.
    """
    storage = Storage(connection, _acting(caller))
    handler = _Handler(storage, shown=not {"attributes", "excludedAttributes"}.isdisjoint(asked.query))
    try:
        given = await handler.handle(asked)
    except SCIMException as error:
        raise _refused(error) from error
    return Answered(int(given.status), given.body, given.headers, storage.changed)


def _acting(caller: Principal) -> Principal:
    """Who changes members and groups: whoever calls, with the right to. What they may not is decided in `users`.

    Raises Forbidden for a key that is limited to some collections.
    """
    if caller.role != "provisioner":
        require_whole_tenant(caller)
    return Principal(replace(caller.scope, collections=None), "owner", caller.key_id, caller.member_id)


def _refused(error: SCIMException) -> KnowlogError:
    told: dict[str, Any] = {"scim_type": error.scim_type or None}
    if isinstance(error, MethodNotAllowedException):
        told["allow"] = error.allowed
    return _ERRORS.get(error.status, BadRequest)(_in_a_sentence(error.detail), **told)


def _in_a_sentence(detail: str) -> str:
    """What the library says; of what it passes on from below, the line that people can read."""
    lines = [line.strip() for line in detail.splitlines() if line.strip()]
    if len(lines) > 2:
        return f"{lines[1]}: {lines[2].partition(' [type=')[0]}."
    return (lines or ["It cannot be read"])[0].rstrip(".") + "."
