"""The catalogue of events as an AsyncAPI 3.0 document, for generators and for people."""

from typing import Any

from knowlog.bus.catalogue import CATALOGUE, INCOMING, EventType
from knowlog.bus.envelope import CONTENT_TYPE, SOURCE

_ABOUT = """What happens in a tenant, as CloudEvents 1.0.

Events are read from `GET /v1/events`, and followed as server-sent events at `GET /v1/events/stream` with an API key.
Each is delivered at least once; `id` tells repetitions apart, `cursor` is where to go on. Members may be added to
the data of a type; anything else makes a new version, with a `dataschema` of its own.

What sources take in from topics of Redis, RabbitMQ or Kafka is the operation `receiveDocuments`.
"""
_UUID = {"type": "string", "format": "uuid"}
_ENVELOPE = {
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
    names = {each.name: _name(each) for each in CATALOGUE.values()}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "knowlog events", "version": version, "description": _ABOUT},
        "defaultContentType": CONTENT_TYPE,
        "channels": {
            "log": {
                "address": "/v1/events/stream",
                "description": "Every event of the tenant that the key may see.",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names.values()},
            },
            "source": {
                "address": "{topic}",
                "parameters": {
                    "topic": {"description": "A stream of Redis, a queue of RabbitMQ, a topic of Kafka."}
                },
                "description": "Documents that a source takes in.",
                "messages": {
                    name: {"$ref": f"#/components/messages/{name}"} for name in map(_name, INCOMING.values())
                },
            },
        },
        "operations": {
            "sendEvents": {
                "action": "send",
                "channel": {"$ref": "#/channels/log"},
                "summary": "The server sends each event to whoever follows the log.",
                "messages": [{"$ref": f"#/channels/log/messages/{name}"} for name in names.values()],
            },
            "receiveDocuments": {
                "action": "receive",
                "channel": {"$ref": "#/channels/source"},
                "summary": "A source takes documents in, and deletes what is withdrawn.",
                "messages": [
                    {"$ref": f"#/channels/source/messages/{name}"} for name in map(_name, INCOMING.values())
                ],
            },
        },
        "components": {
            "messages": {_name(each): _message(each, "Envelope") for each in CATALOGUE.values()}
            | {_name(each): _message(each, "IncomingEnvelope") for each in INCOMING.values()},
            "schemas": {"Envelope": _ENVELOPE, "IncomingEnvelope": _INCOMING_ENVELOPE}
            | {_name(each): _schema(each) for each in (*CATALOGUE.values(), *INCOMING.values())},
        },
    }


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
