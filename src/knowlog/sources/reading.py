"""What a message of others says: CloudEvents 1.0, structured or binary, or a plain JSON object."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from knowlog.bus import (
    INCOMING,
    Delivery,
    DocumentSubmitted,
    DocumentWithdrawn,
    EventType,
    misfit,
    read_moment,
    read_object,
)
from knowlog.kernel.errors import Invalid
from knowlog.sources.model import Incoming, Inlet, Unfit

_ID_CHARS = 255
_ATTRIBUTE = re.compile(r"(?:ce[-_]|cloudevents[:_])([a-z0-9]+)")
_TENANT = re.compile(rb'"tenantid"\s*:\s*"?([^",}\]\s]+)')
_STRUCTURED = "application/cloudevents+json"
SUBMITTED = "document.submitted"
ENVELOPE_MEMBERS = ("id", "type", "time", "tenantid")
MAPPABLE = frozenset({*ENVELOPE_MEMBERS, *DocumentSubmitted.model_fields})
"""What a mapping may say where to find it in a plain message."""


_FOREIGN = (
    "The message's tenantid is not the tenant of the source. Send it to a source of that tenant; its body is kept from"
    " this one."
)
_WANTED = {
    "id": "Give every message an id of its own.",
    "source": "Set it to an address of what publishes, such as urn:shop.",
}


class _Foreign(Invalid):
    """The message speaks of another tenant."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a message says before it is believed."""

    attributes: Mapping[str, Any]
    data: Any


def read_message(delivery: Delivery, inlet: Inlet, most_bytes: int) -> Incoming | Unfit:
    """Read a message; what is wrong with it is said in a sentence."""
    said: _Said | None = None
    try:
        _check_size(delivery, most_bytes)
        _check_readable(delivery)
        said = _said(delivery, inlet)
        return _checked(said, delivery, inlet)
    except Invalid as error:
        message_id = _shown_id(said, delivery)
        withheld = isinstance(error, _Foreign) or _speaks_of_another(delivery, inlet)
        return Unfit(error.detail, message_id, withheld)


def _check_size(delivery: Delivery, most_bytes: int) -> None:
    size = len(delivery.message.body)
    if size > most_bytes:
        raise Invalid(
            f"The message has {size:,} bytes; the limit is {most_bytes:,}. Send a url, or raise"
            " KNOWLOG_SOURCES_MAX_MESSAGE_MB."
        )
    if not size:
        raise Invalid("The message is empty. Send a JSON object.")


def _check_readable(delivery: Delivery) -> None:
    if delivery.unreadable:
        raise Invalid(
            f"The message's properties cannot be decoded: {delivery.unreadable}. Headers have names in UTF-8, and"
            " timestamps are in seconds."
        )


def _said(delivery: Delivery, inlet: Inlet) -> _Said:
    found = read_object(delivery.message.body, "The message")
    if inlet.format == "plain":
        members = {name: _at(found, inlet.mapping.get(name, name)) for name in sorted(MAPPABLE)}
        data = {name: members[name] for name in DocumentSubmitted.model_fields if members[name] is not None}
        if isinstance(data.get("external_id"), int):
            data["external_id"] = str(data["external_id"])
        return _Said({name: members[name] for name in ENVELOPE_MEMBERS}, data)
    attributes = {
        match[1]: value for name, value in delivery.headers.items() if (match := _ATTRIBUTE.fullmatch(name))
    }
    structured = delivery.headers.get("content-type", "").startswith(_STRUCTURED)
    if "specversion" in attributes and not structured:
        return _Said(attributes, found)
    return _Said({name: value for name, value in found.items() if name != "data"}, found.get("data"))


def _at(found: Mapping[str, Any], path: str) -> Any:
    """The member at a path with dots; a member whose name holds the dots comes first."""
    if path in found:
        return found[path]
    value: Any = found
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _checked(said: _Said, delivery: Delivery, inlet: Inlet) -> Incoming:
    plain = inlet.format == "plain"
    if any(not _is_own(named, inlet) for named in _named_in_headers(delivery)):
        raise _Foreign(_FOREIGN)
    if not plain and said.attributes.get("specversion") != "1.0":
        raise Invalid(
            f"The message is no CloudEvent 1.0: specversion is {said.attributes.get('specversion')!r:.40}. Set"
            " it to '1.0', or make the source with --plain for messages that are none."
        )
    _check_tenant(said, inlet)
    kind = _kind(said, plain)
    message_id = _id(said, delivery, inlet)
    producer = "" if plain else _text(said.attributes, "source")
    if said.attributes.get("time") is not None:
        read_moment(said.attributes)
    if not isinstance(said.data, dict):
        raise Invalid("The message has no data; they must be a JSON object.")
    return Incoming(producer, message_id, _content_hash(kind, said.data), _data(kind, said.data))


def _check_tenant(said: _Said, inlet: Inlet) -> None:
    named = said.attributes.get("tenantid")
    if named is None and inlet.format == "plain":
        return
    if named is None or named == "":
        raise Invalid(f"The message has no tenantid. Set it to {inlet.tenant_id}, the tenant of the source.")
    if _is_foreign(said, inlet):
        raise _Foreign(_FOREIGN)


def _is_foreign(said: _Said, inlet: Inlet) -> bool:
    named = said.attributes.get("tenantid")
    if named is None or named == "":
        return False
    return not _is_own(named, inlet)


def _speaks_of_another(delivery: Delivery, inlet: Inlet) -> bool:
    """Whether any header, or anything in the body, readable or not, names a tenant that is not the source's."""
    in_body = [found.decode(errors="replace") for found in _TENANT.findall(delivery.message.body)]
    if delivery.unreadable and _names_another(delivery.headers, inlet):
        return True
    named = [*_named_in_headers(delivery), *(each for each in in_body if each != "null")]
    return any(not _is_own(each, inlet) for each in named)


def _names_another(undecoded: Mapping[str, str], inlet: Inlet) -> bool:
    said = " ".join(undecoded.values()).lower()
    return "tenantid" in said and str(inlet.tenant_id) not in said


def _named_in_headers(delivery: Delivery) -> list[str]:
    found = ((_ATTRIBUTE.fullmatch(name), value) for name, value in delivery.headers.items())
    return [value for match, value in found if match and match[1] == "tenantid"]


def _is_own(named: object, inlet: Inlet) -> bool:
    try:
        return UUID(str(named)) == inlet.tenant_id
    except ValueError:
        return False


def _kind(said: _Said, plain: bool) -> EventType:
    name = said.attributes.get("type")
    if name is None and plain:
        name = SUBMITTED
    if not isinstance(name, str) or name not in INCOMING:
        raise Invalid(f"Messages of type {name!r:.100} are not taken. Known are: {', '.join(INCOMING)}.")
    kind = INCOMING[name]
    schema = said.attributes.get("dataschema")
    if schema is not None and schema != kind.key:
        raise Invalid(f"The message follows the schema {schema!r:.200}; known is {kind.key}.")
    return kind


def _id(said: _Said, delivery: Delivery, inlet: Inlet) -> str:
    """The message's own id; of a plain one also that of the broker."""
    named = said.attributes.get("id")
    if inlet.format == "plain":
        if isinstance(named, int) and not isinstance(named, bool):
            return str(named)
        if named is None and delivery.message.message_id:
            return f"{inlet.kind}:{delivery.message.message_id}"[:_ID_CHARS]
    return _text(said.attributes, "id")


def _text(attributes: Mapping[str, Any], name: str) -> str:
    value = attributes.get(name)
    if value is None or value == "":
        raise Invalid(f"The message has no {name}. {_WANTED[name]}")
    if not isinstance(value, str) or len(value) > _ID_CHARS or "\0" in value:
        raise Invalid(f"The message's {name} must be text of at most {_ID_CHARS} characters.")
    return value


def _data(kind: EventType, data: dict[str, Any]) -> DocumentSubmitted | DocumentWithdrawn:
    try:
        found = kind.data.model_validate(data)
    except ValidationError as error:
        raise Invalid(f"The data do not fit {kind.name}: {misfit(error)}.") from error
    assert isinstance(found, DocumentSubmitted | DocumentWithdrawn)
    return found


def _content_hash(kind: EventType, data: dict[str, Any]) -> bytes:
    """Of the meaning, not of the bytes: members in another order, or another time, make no other message."""
    return hashlib.sha256(orjson.dumps([kind.name, data], option=orjson.OPT_SORT_KEYS)).digest()


def _shown_id(said: _Said | None, delivery: Delivery) -> str | None:
    named = None if said is None else said.attributes.get("id")
    found = str(named) if isinstance(named, str | int) else delivery.message.message_id
    return found.replace("\0", "")[:_ID_CHARS] or None
