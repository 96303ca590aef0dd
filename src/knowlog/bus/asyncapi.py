"""The catalogue of events as an AsyncAPI 3.0 document, for generators and for people."""

from typing import Any

from knowlog.bus.catalogue import CATALOGUE, INCOMING, EventType
from knowlog.bus.envelope import CONTENT_TYPE, SOURCE

_ABOUT = """What happens in a tenant, as CloudEvents 1.0.

Events are read from `GET /v1/events`, and followed as server-sent events at `GET /v1/events/stream` with an API key. They
are posted to webhooks, and published to a topic of the operator's.
Each is delivered at least once; `id` tells repetitions apart, `cursor` is where to go on. Members may be added to
the data of a type; anything else makes a new version, with a `dataschema` of its own.

What sources take in from topics of Redis, RabbitMQ or Kafka is the operation `receiveDocuments`.
"""
_UUID = {"type": "string", "format": "uuid"}
_ELSEWHERE = "dataElsewhere"
_PUBLISHED = (
    "The operator's topic, where there is one: events of chosen types of all tenants, by document in order."
)
_ENVELOPE: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "subject", "time", "dataschema", "tenantid", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {**_UUID, "description": "Identifies the event; the same in each repetition."},
        "source": {"const": SOURCE},
        "type": {"type": "string"},
        "subject": {**_UUID, "description": "What the event is about: for document.*, the document."},
        "time": {"type": "string", "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "dataschema": {"type": "string", "description": "urn:knowlog:event:<type>:<version>"},
        "tenantid": _UUID,
        "cursor": {
            "type": "string",
            "description": "Opaque; `since` and Last-Event-ID take it, to go on behind the event.",
        },
        "data": {"type": "object"},
    },
}


_INCOMING_ENVELOPE = {
    "type": "object",
    "required": ["specversion", "id", "source", "type", "tenantid", "data"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string", "minLength": 1, "maxLength": 255,
            "description": "Identifies the message together with source; one that was taken changes nothing again.",
        },
        "source": {"type": "string", "minLength": 1, "maxLength": 255, "description": "Who sends it."},
        "type": {"type": "string"},
        "time": {"type": "string", "format": "date-time", "description": "At most 24 hours ahead, and not before 2000."},
        "datacontenttype": {"const": "application/json"},
        "tenantid": {**_UUID, "description": "The tenant of the source."},
        "data": {"type": "object"},
    },
}  # fmt: skip


def describe_events(version: str) -> dict[str, Any]:
    """Make the document for the version of knowlog that serves it."""
    sent, taken = [_name(each) for each in CATALOGUE.values()], [_name(each) for each in INCOMING.values()]
    topic = {"topic": {"description": "A stream of Redis, a queue of RabbitMQ, a topic of Kafka."}}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "knowlog events", "version": version, "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "log": _channel("/v1/events/stream", "Every event of the tenant that the key may see.", sent),
            "webhook": _channel(
                None, "An address of the tenant's own, signed as Standard Webhooks has it.", sent
            ),
            "published": _channel("{topic}", _PUBLISHED, [*sent, _ELSEWHERE]) | {"parameters": topic},
            "source": _channel("{topic}", "Documents that a source takes in.", taken) | {"parameters": topic},
        },
        "operations": {
            "sendEvents": _operation(
                "send", "log", "The server sends each event to whoever follows the log.", sent
            ),
            "deliverEvents": _operation(
                "send", "webhook", "A worker posts each event of the chosen types, until it is taken.", sent
            ),
            "publishEvents": _operation(
                "send", "published", "A worker publishes each event of the chosen types.", [*sent, _ELSEWHERE]
            ),
            "receiveDocuments": _operation(
                "receive", "source", "A source takes documents in, and deletes what is withdrawn.", taken
            ),
        },
        "components": {
            "messages": {_name(each): _message(each, "Envelope") for each in CATALOGUE.values()}
            | {_name(each): _message(each, "IncomingEnvelope") for each in INCOMING.values()}
            | {_ELSEWHERE: _elsewhere()},
            "schemas": {"Envelope": _ENVELOPE, "IncomingEnvelope": _INCOMING_ENVELOPE}
            | {_name(each): _schema(each) for each in (*CATALOGUE.values(), *INCOMING.values())},
        },
    }


def _channel(address: str | None, description: str, names: list[str]) -> dict[str, Any]:
    messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
    return {"address": address, "description": description, "messages": messages}


def _operation(action: str, channel: str, summary: str, names: list[str]) -> dict[str, Any]:
    messages = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]
    place = {"$ref": f"#/channels/{channel}"}
    return {"action": action, "channel": place, "summary": summary, "messages": messages}


def _elsewhere() -> dict[str, Any]:
    """What is published of an event whose data are larger than the broker carries."""
    required = [name for name in _ENVELOPE["required"] if name != "data"]
    shown = {name: each for name, each in _ENVELOPE["properties"].items() if name != "data"}
    told = {"type": "string", "description": "Names the data, which lie in the blob store for an hour."}
    return {
        "name": _ELSEWHERE,
        "title": "data elsewhere",
        "summary": "An event of any type whose data are larger than the broker carries; the log has it whole.",
        "contentType": CONTENT_TYPE,
        "payload": {
            "type": "object", "required": [*required, "dataref"], "properties": {**shown, "dataref": told},
        },
    }  # fmt: skip


def _name(kind: EventType) -> str:
    """document.indexed -> documentIndexed: names in the document hold no dot."""
    first, *rest = kind.name.replace("_", ".").split(".")
    return first + "".join(word.capitalize() for word in rest)


def _message(kind: EventType, envelope: str) -> dict[str, Any]:
    data = {"$ref": f"#/components/schemas/{_name(kind)}"}
    own = {"type": {"const": kind.name}, "dataschema": {"const": kind.key}, "data": data}
    return {
        "name": kind.name,
        "title": kind.name,
        "summary": kind.description,
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [{"$ref": f"#/components/schemas/{envelope}"}, {"type": "object", "properties": own}]
        },
    }


def _schema(kind: EventType) -> dict[str, Any]:
    """The schema as a part of a larger document, with what it refers to inside it at the place that is then right."""
    place = f"#/components/schemas/{_name(kind)}/$defs/"
    schema: dict[str, Any] = _moved(kind.schema(), place)
    return {name: each for name, each in schema.items() if name not in ("$schema", "$id")}


def _moved(node: Any, place: str) -> Any:
    if isinstance(node, list):
        return [_moved(each, place) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        key: each.replace("#/$defs/", place) if key == "$ref" else _moved(each, place)
        for key, each in node.items()
    }
