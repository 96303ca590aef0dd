"""Members and groups, as people name them."""

from typing import TYPE_CHECKING
from urllib.parse import quote

from knowlog.cli.answered import Refused
from knowlog.cli.values import is_id
from knowlog.kernel.errors import NotFound

if TYPE_CHECKING:
    from knowlog.cli.client import Client


def member_id(client: "Client", member: str) -> str:
    """The id of a member, who may be named by their e-mail address. Raises NotFound."""
    if "@" not in member:
        return quote(member, safe="")
    for each in client.pages("/v1/members"):
        if each["email"] == member.strip().lower():
            return str(each["member_id"])
    raise NotFound(f"There is no member {member}. `knowlog members list` shows them.")


def group_id(client: "Client", group: str) -> str:
    """The id of a group, which may be named. Raises Refused where none has this name."""
    return group if is_id(group) else str(client.get(f"/v1/groups/{quote(group, safe='')}")["group_id"])


def subject_id(client: "Client", subject: str) -> str:
    """The id of a member, named by their e-mail address, or of a group. An id is taken as it is."""
    return member_id(client, subject) if "@" in subject else group_id(client, subject)


def subject_names(client: "Client") -> dict[str, str]:
    """What groups and members are called, by their ids; nothing for a key that may not see them."""
    try:
        groups = {each["group_id"]: each["name"] for each in client.pages("/v1/groups")}
        return groups | {each["member_id"]: each["email"] for each in client.pages("/v1/members")}
    except Refused:
        return {}
