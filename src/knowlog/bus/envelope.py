"""Events as they travel: CloudEvents 1.0 in its structured JSON form.

`pack` and `unpack` are made here with orjson: of the official SDK (cloudevents 2.2) we would use one function that
writes a dict as JSON, ten times slower, and it checks none of what `unpack` refuses; its authors say that it may break
with every update. The tests read our envelopes with it.

Claim check: data that a broker cannot carry lie in the blob store, and the envelope names them in `dataref`. They are
kept there for about an hour; the event itself stays in the log.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import orjson

from knowlog.bus.catalogue import check_fit, event_type, readable
from knowlog.bus.model import Event
from knowlog.kernel import now
from knowlog.kernel.errors import Invalid, NotFound
from knowlog.kernel.nesting import MOST_LEVELS, holds_nul, too_deep

CONTENT_TYPE = "application/cloudevents+json"
SOURCE = "urn:knowlog"
_DATAREF = "urn:knowlog:blob:"
_MOST_AHEAD = timedelta(hours=24)
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""What is dated before comes from a clock that was never set: they begin at 1970 or at 1980."""
_ATTRIBUTE_CHARS = 1000


class Shelf(Protocol):
    """Where bytes lie that are too large to travel: the part of a blob store that a claim check needs."""

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        """Keep bytes by key. Raises Unavailable."""
        ...

    async def get(self, key: str) -> bytes:
        """Return the bytes. Raises NotFound or Unavailable."""
        ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event with all that a reader needs to place it. `data` is None where it was left out: then `dataref` names the
    blob that holds it, or it is to be read from the log. `cursor` is where it stands in the
    log, to go on reading behind it.
    """

    event_id: UUID
    tenant_id: UUID
    type: str
    version: int
    subject: UUID
    time: datetime
    data: Mapping[str, Any] | None
    dataref: str | None = None
    cursor: str | None = None

    def members(self) -> dict[str, Any]:
        """The members of the JSON object, attributes first."""
        moment = self.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        written = {
            "specversion": "1.0",
            "id": str(self.event_id),
            "source": SOURCE,
            "type": self.type,
            "subject": str(self.subject),
            "time": moment,
            "datacontenttype": "application/json",
            "dataschema": f"urn:knowlog:event:{self.type}:{self.version}",
            "tenantid": str(self.tenant_id),
            "cursor": self.cursor,
            "dataref": self.dataref,
            "data": self.data,
        }
        return {name: value for name, value in written.items() if value is not None}


def envelope_of(event: Event) -> Envelope:
    """Put an event into its envelope, without what is for our own workers. Raises Invalid for an unknown type."""
    kind = event_type(event.type)
    return Envelope(
        event.event_id, event.tenant_id, event.type, kind.version, event.subject, event.created_at,
        readable(event.type, event.data),
    )  # fmt: skip


def pack(event: Event, *, with_data: bool = True) -> bytes:
    """Write an event as it travels; without its data where the receiver reads those from the database."""
    made = envelope_of(event)
    return orjson.dumps((made if with_data else replace(made, data=None)).members())


async def pack_within(event: Event, most_bytes: int, shelf: Shelf) -> bytes:
    """Write an event in at most `most_bytes`: what is larger leaves its data on the shelf. Raises Unavailable."""
    made = envelope_of(event)
    body = orjson.dumps(made.members())
    if len(body) <= most_bytes:
        return body
    key = _shelf_key(made)
    await shelf.put({key: orjson.dumps(made.data)})
    return orjson.dumps(replace(made, data=None, dataref=_DATAREF + key).members())


async def with_claimed(envelope: Envelope, shelf: Shelf) -> Envelope:
    """Bring the data of an envelope back from the shelf, if they lie there. Raises Invalid, NotFound, Unavailable."""
    if envelope.data is not None or envelope.dataref is None:
        return envelope
    try:
        raw = await shelf.get(_shelf_key(envelope))
    except NotFound as error:
        raise NotFound("The event's data are not kept any more. Read the event from the log.") from error
    return replace(envelope, data=_fitting(envelope.type, read_object(raw, "The event's data")), dataref=None)


def unpack(body: bytes) -> Envelope:
    """Read an envelope of ours that came from elsewhere. Raises Invalid with a sentence that says what is wrong."""
    return _unpacked(body, read_moment)


def unpack_announced(body: bytes) -> Envelope:
    """The same for an announcement of work. Its time is not judged: it comes from the database, by whose clock work goes,
    and the clock that is off may be this process's. Raises Invalid.
    """
    return _unpacked(body, _moment)


def _unpacked(body: bytes, time_of: Callable[[Mapping[str, Any]], datetime]) -> Envelope:
    found = read_object(body, "The message")
    if found.get("specversion") != "1.0":
        raise Invalid(f"The message is no CloudEvent 1.0: specversion is {found.get('specversion')!r:.40}.")
    tenant_id = _uuid(found, "tenantid")
    kind = event_type(_text(found, "type"))
    if (named := _text(found, "dataschema")) != kind.key:
        raise Invalid(f"The message follows the schema {named!r:.200}; this process knows {kind.key}.")
    if (content := found.get("datacontenttype", "application/json")) != "application/json":
        raise Invalid(f"The data of the message are {content!r:.60}, not application/json.")
    envelope = Envelope(
        _uuid(found, "id"), tenant_id, kind.name, kind.version, _uuid(found, "subject"), time_of(found), None,
        cursor=_optional(found, "cursor"), dataref=_optional(found, "dataref"),
    )  # fmt: skip
    if envelope.dataref not in (None, _DATAREF + _shelf_key(envelope)):
        raise Invalid("The message's dataref names a blob that is not its own.")
    if "data" not in found:
        return envelope
    if not isinstance(found["data"], dict):
        raise Invalid("The data of the message must be a JSON object.")
    return replace(envelope, data=_fitting(kind.name, found["data"]))


def _shelf_key(envelope: Envelope) -> str:
    """Below the tenant, as originals are, so that the sweep of originals without a version removes it."""
    return f"{envelope.tenant_id}/{envelope.event_id}/data"


def read_object(raw: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object that can be stored. Raises Invalid with a sentence that begins with `what`."""
    try:
        found = orjson.loads(raw)
    except ValueError as error:
        raise Invalid(f"{what} cannot be read as JSON. It must be one JSON object in UTF-8.") from error
    if not isinstance(found, dict):
        raise Invalid(f"{what} must be a JSON object, as in {{...}}.")
    if too_deep(found):
        raise Invalid(f"{what} is nested more than {MOST_LEVELS} levels deep.")
    if holds_nul(raw):
        raise Invalid(f"{what} holds the NUL character, which cannot be stored. Take it out.")
    return found


def _fitting(name: str, data: dict[str, Any]) -> dict[str, Any]:
    check_fit(name, orjson.dumps(data))
    return data


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if value is None or value == "":
        raise Invalid(f"The message has no {name}.")
    if not isinstance(value, str) or len(value) > _ATTRIBUTE_CHARS:
        raise Invalid(f"The message's {name} must be text of at most {_ATTRIBUTE_CHARS:,} characters.")
    return value


def _optional(found: Mapping[str, Any], name: str) -> str | None:
    return None if found.get(name) is None else _text(found, name)


def _uuid(found: Mapping[str, Any], name: str) -> UUID:
    text = _text(found, name)
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid(f"The message's {name} is no UUID: {text!r:.60}.") from error


def read_moment(found: Mapping[str, Any]) -> datetime:
    """Read the time of an envelope. Raises Invalid for none, one more than 24 hours ahead, and one before 2000."""
    moment, text = _moment(found), _text(found, "time")
    if moment > now() + _MOST_AHEAD:
        raise Invalid(f"The message comes from the future ({text:.40}). Set its sender's clock.")
    if moment < _EARLIEST:
        raise Invalid(f"The message is dated before the year 2000 ({text:.40}). Set its sender's clock.")
    return moment


def _moment(found: Mapping[str, Any]) -> datetime:
    text = _text(found, "time")
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"The message's time is no moment with a time zone: {text!r:.60}.") from error
