"""What a PATCH does to a group, read off its operations: a group of very many need not be loaded to let one leave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from scim2_models import InvalidValueException, PatchOp, PatchOperation, path

from knowlog.provisioning.model import as_id
from knowlog.provisioning.schemas import Group

_Op = PatchOperation.Op
_SAID = {"display_name": "name", "external_id": "external_id"}
_KNOWN = {"members": "members", "displayname": "display_name", "externalid": "external_id"}


@dataclass(slots=True)
class Change:
    """What is to become of a group: all leave if `cleared`, then these join and leave. `said`: its other attributes."""

    cleared: bool = False
    joining: set[UUID] = field(default_factory=set)
    leaving: set[UUID] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)

    def join(self, members: set[UUID]) -> None:
        """Let members in."""
        self.joining |= members
        self.leaving -= members

    def leave(self, members: set[UUID]) -> None:
        """Let members go."""
        self.joining -= members
        self.leaving |= members

    def clear(self) -> None:
        """Let everybody go."""
        self.cleared, self.joining, self.leaving = True, set(), set()


class _Unusual(Exception):
    """An operation that is not read here."""


def read_change(asked: "PatchOp[Any]", group_id: str) -> Change | None:
    """What a PATCH changes; None where it has operations of forms that are not read here.

    Raises InvalidValueException for members that cannot be.
    """
    change = Change()
    try:
        for operation in asked.operations or ():
            _read(change, operation, group_id)
    except _Unusual:
        return None
    return change


def member_ids(values: Any) -> set[UUID]:
    """The ids of users that members of a group name. Raises InvalidValueException for what cannot be one."""
    found = set()
    for each in values if isinstance(values, list) else [values]:
        said = {name.lower(): value for name, value in each.items()} if isinstance(each, Mapping) else {}
        if "value" not in said:
            raise InvalidValueException(detail="A member of a group has a value: the id of a user.")
        if str(said.get("type") or "User").lower() != "user":
            raise InvalidValueException(detail="Groups are not nested: name the users themselves.")
        known = as_id(str(said["value"]))
        if known is None:
            raise InvalidValueException(detail=f"There is no user {str(said['value'])[:100]!r}.")
        found.add(known)
    return found


def _read(change: Change, operation: PatchOperation[Any], group_id: str) -> None:
    if operation.path is None:
        _read_object(change, operation, group_id)
        return
    binding = operation.path.resolve(Group)
    if binding is None or binding.sub_field_name:
        raise _Unusual
    if operation.op is _Op.remove:
        if binding.field_name != "members":
            raise _Unusual
        _read_removal(change, operation)
    elif operation.path.value_filter is not None:
        raise _Unusual
    else:
        _read_value(change, operation.op, binding.field_name, operation.value)


def _read_object(change: Change, operation: PatchOperation[Any], group_id: str) -> None:
    """Attributes and their values, without a path."""
    if operation.op is _Op.remove or not isinstance(operation.value, Mapping):
        raise _Unusual
    for name, value in operation.value.items():
        if name.lower() == "schemas" or (name.lower() == "id" and value == group_id):
            continue
        if name.lower() not in _KNOWN:
            raise _Unusual
        _read_value(change, operation.op, _KNOWN[name.lower()], value)


def _read_value(change: Change, operator: PatchOperation.Op, attribute: str, value: Any) -> None:
    if attribute == "members":
        if operator is _Op.replace_:
            change.clear()
        change.join(member_ids(value))
    elif attribute in _SAID and isinstance(value, str) and value:
        change.said[_SAID[attribute]] = value
    else:
        raise _Unusual


def _read_removal(change: Change, operation: PatchOperation[Any]) -> None:
    """All members; those in the value, as Entra ID names them; or the one of a filter."""
    assert operation.path is not None
    chosen = operation.path.value_filter
    if chosen is not None:
        change.leave({_only(chosen)})
    elif operation.value is None:
        change.clear()
    else:
        change.leave(member_ids(operation.value))


def _only(chosen: path.FilterNode) -> UUID:
    """The user of `members[value eq "..."]`."""
    if (
        not isinstance(chosen, path.Comparison)
        or chosen.op is not path.CompareOperator.eq
        or chosen.attr_path.attr.lower() != "value"
        or not isinstance(chosen.value, str)
    ):
        raise _Unusual
    found = as_id(chosen.value)
    if found is None:
        raise _Unusual
    return found
