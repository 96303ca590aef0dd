"""Envelopes come back as they went; what is not one of ours is refused with a sentence, and with nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from asyncpg.pgproto import pgproto
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from knowlog.bus import Event, envelope_of, pack, pack_within, unpack, unpack_announced, with_claimed
from knowlog.kernel.errors import Invalid, NotFound

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2026, 1, 1)).map(lambda each: each.replace(tzinfo=UTC))
COUNTS = st.integers(0, 2**53)
DATA = {
    "document.received": st.fixed_dictionaries({"version": st.integers(1, 2**31), "size_bytes": COUNTS}),
    "document.deleted": st.fixed_dictionaries({}, optional={"blobs": st.lists(TEXTS)}),
    "document.failed": st.fixed_dictionaries({"version": st.integers(1, 2**31), "reason": TEXTS}),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(sorted(DATA)))
    ids = st.uuids()
    return Event(draw(ids), draw(ids), kind, draw(ids), draw(DATA[kind]), 1, draw(MOMENTS))


def an_event(**changed: Any) -> Event:
    values = {
        "tenant_id": uuid4(), "event_id": uuid4(), "type": "document.failed", "subject": uuid4(),
        "data": {"version": 1, "reason": "No text."}, "attempts": 0, "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Event(**{**values, **changed})


def members() -> dict[str, Any]:
    """A message that is right."""
    return dict(orjson.loads(pack(an_event())))


class Shelf:
    """Blobs in a dict."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    async def put(self, blobs: Any) -> None:
        self.blobs |= blobs

    async def get(self, key: str) -> bytes:
        try:
            return self.blobs[key]
        except KeyError as error:
            raise NotFound("no such blob") from error


@given(events())
def test_what_is_packed_is_unpacked(event: Event) -> None:
    """Every event of every type, whatever its texts hold."""
    assert unpack(pack(event)) == envelope_of(event)


@given(events())
def test_others_read_it_as_a_cloud_event(event: Event) -> None:
    """The official SDK finds the same id, type, time and data."""
    read = JSONFormat().read(CloudEvent, pack(event))
    assert (read.get_id(), read.get_type()) == (str(event.event_id), event.type)
    assert read.get_time() == event.created_at
    assert read.get_extension("tenantid") == str(event.tenant_id)
    assert read.get_data() == envelope_of(event).data


def test_what_is_for_our_workers_does_not_travel() -> None:
    """Storage keys stay in the database."""
    event = an_event(type="document.deleted", data={"blobs": ["tenant/document/1"]})
    assert b"blobs" not in pack(event)
    assert unpack(pack(event)).data == {}


def test_an_announcement_leaves_the_data_out() -> None:
    """The receiver reads them from the database."""
    event = an_event()
    assert unpack(pack(event, with_data=False)).data is None


def test_members_that_a_newer_process_added_are_passed_over() -> None:
    """Attributes and data may grow."""
    message = members() | {"traceparent": "00-1-2-01"}
    message["data"]["pages"] = 7
    assert unpack(orjson.dumps(message)).data == message["data"]


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body: bytes) -> None:
    """Whatever comes is read or refused."""
    with pytest.raises(Invalid):
        unpack(body)


@given(name=st.sampled_from([*members(), "dataref", "cursor"]), value=JSON)
def test_no_value_of_a_member_breaks_it(name: str, value: Any) -> None:
    """Any JSON in any place: read or refused, and the sentence ends."""
    sentence = "Read."
    try:
        unpack(orjson.dumps(members() | {name: value}))
    except Invalid as error:
        sentence = error.detail
    assert sentence.endswith(".")


AHEAD = (datetime.now(UTC) + timedelta(hours=25)).isoformat()
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "version of the specification": ({"specversion": "0.3"}, "specversion is '0.3'"),
    "no version of the specification": ({"specversion": None}, "specversion is None"),
    "no tenant": ({"tenantid": None}, "has no tenantid"),
    "tenant is no id": ({"tenantid": "acme"}, "tenantid is no UUID"),
    "no id": ({"id": ""}, "has no id"),
    "id is no UUID": ({"id": "../../etc/passwd"}, "id is no UUID"),
    "id is a number": ({"id": 7}, "id must be text"),
    "subject is no UUID": ({"subject": "x"}, "subject is no UUID"),
    "unknown type": ({"type": "document.exploded"}, "no event type 'document.exploded'"),
    "endless type": ({"type": "x" * 5000}, "at most 1,000 characters"),
    "unknown version of the schema": ({"dataschema": "urn:knowlog:event:document.failed:9"}, "follows the schema"),
    "schema of another type": ({"dataschema": "urn:knowlog:event:document.indexed:1"}, "follows the schema"),
    "no schema": ({"dataschema": None}, "has no dataschema"),
    "other content": ({"datacontenttype": "text/xml"}, "not application/json"),
    "no time": ({"time": None}, "has no time"),
    "time without zone": ({"time": "2026-01-01T00:00:00"}, "no moment with a time zone"),
    "time that is none": ({"time": "yesterday"}, "no moment with a time zone"),
    "time out of the calendar": ({"time": "0001-01-01T00:00:00+23:00"}, "no moment with a time zone"),
    "time before all clocks": ({"time": "1999-12-31T23:59:59Z"}, "before the year 2000"),
    "time far ahead": ({"time": AHEAD}, "from the future"),
    "data are a list": ({"data": [1]}, "must be a JSON object"),
    "data are null": ({"data": None}, "must be a JSON object"),
    "member missing": ({"data": {"version": 1}}, "reason is missing"),
    "member of another type": ({"data": {"version": "1", "reason": "x"}}, "version must be a whole number"),
    "member out of range": ({"data": {"version": 0, "reason": "x"}}, "version must be at least 1"),
    "NUL character": ({"data": {"version": 1, "reason": "a\0b"}}, "NUL character"),
    "another's blob": ({"data": None, "dataref": "urn:knowlog:blob:other/secret"}, "not its own"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said(case: str) -> None:
    """One sentence for each."""
    changed, sentence = WRONG[case]
    with pytest.raises(Invalid) as caught:
        unpack(orjson.dumps(members() | changed))
    assert sentence in caught.value.detail
    assert caught.value.detail.endswith(".")


def test_an_announcement_is_read_whatever_the_clock_says() -> None:
    """A worker whose own clock is days behind must not bury what the database has dated."""
    dated = members() | {"time": "2100-01-01T00:00:00Z"}
    assert unpack_announced(orjson.dumps(dated)).event_id == UUID(dated["id"])
    with pytest.raises(Invalid, match="no moment"):
        unpack_announced(orjson.dumps(dated | {"time": "tomorrow"}))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 100_000,
        b'{"data":' + b"[" * 60 + b"]" * 60 + b"}",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_what_is_no_object_of_json_is_refused(body: bytes) -> None:
    """However it is malformed."""
    with pytest.raises(Invalid):
        unpack(body)


def test_a_backslash_is_no_nul_character() -> None:
    r"""Text that holds the six characters \u0000 may pass."""
    event = an_event(data={"version": 1, "reason": r"a path: C:\u0000"})
    assert unpack(pack(event)) == envelope_of(event)


async def test_large_data_travel_by_claim_check() -> None:
    """What fits goes along; what does not lies on the shelf and is brought back unchanged."""
    event = an_event(data={"version": 1, "reason": "x" * 10_000})
    shelf = Shelf()
    assert unpack(await pack_within(event, 20_000, shelf)).data is not None
    assert shelf.blobs == {}
    body = await pack_within(event, 1000, shelf)
    assert len(body) < 1000
    claimed = unpack(body)
    assert (claimed.data, list(shelf.blobs)) == (None, [f"{event.tenant_id}/{event.event_id}/data"])
    assert await with_claimed(claimed, shelf) == envelope_of(event)


async def test_data_that_are_kept_no_more_are_said_to_be_gone() -> None:
    """With the place where the event still is."""
    claimed = unpack(await pack_within(an_event(data={"version": 1, "reason": "x" * 10_000}), 1000, Shelf()))
    with pytest.raises(NotFound, match="Read the event from the log"):
        await with_claimed(claimed, Shelf())


async def test_what_lies_on_the_shelf_is_checked_as_well() -> None:
    """Bytes that another put there do not become data."""
    shelf = Shelf()
    claimed = unpack(await pack_within(an_event(data={"version": 1, "reason": "x" * 10_000}), 1000, shelf))
    for raw in (b"{", b"[]", b'{"version":1}'):
        shelf.blobs = dict.fromkeys(shelf.blobs, raw)
        with pytest.raises(Invalid):
            await with_claimed(claimed, shelf)


def test_ids_of_the_database_driver_are_written_as_well() -> None:
    """asyncpg has a UUID of its own."""
    own = pgproto.UUID("0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b")
    assert unpack(pack(an_event(event_id=own))).event_id == UUID(str(own))
