"""What messages of others say, and what is wrong with them. The whole list of poison is with the integration tests."""

from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from knowlog.bus import Delivery, DocumentSubmitted, Message
from knowlog.sources import Inlet
from knowlog.sources.model import Incoming, Unfit
from knowlog.sources.reading import read_message

TENANT = UUID("0199e1b2-0000-7f0e-8a7b-6c5d4e3f2a1b")


def inlet(form: Any = "cloudevents", **mapping: str) -> Inlet:
    return Inlet(TENANT, uuid4(), "shop", "redis", "shop", uuid4(), form, mapping)


def read(value: object, source: Inlet, place: str = "", most: int = 1000, **headers: str) -> Incoming | Unfit:
    body = value if isinstance(value, bytes) else orjson.dumps(value)
    return read_message(Delivery(Message("", place, body), headers=headers), source, most)


def event(**others: object) -> dict[str, object]:
    return {
        "specversion": "1.0", "id": "1", "source": "urn:shop", "type": "document.submitted",
        "tenantid": str(TENANT), "data": {"external_id": "a", "text": "One."}, **others,
    }  # fmt: skip


def test_a_cloud_event_is_read() -> None:
    """Its id and source identify it; members that nobody knows are passed over."""
    found = read(event(extension="x"), inlet())
    assert isinstance(found, Incoming)
    assert found.key == ("urn:shop", "1")
    assert found.data == DocumentSubmitted(external_id="a", text="One.")


def test_the_same_meaning_has_the_same_hash() -> None:
    """Time and the order of members are no meaning; the text is."""
    one, two = read(event(), inlet()), read(event(time="2026-01-01T00:00:00Z"), inlet())
    other = read(event(data={"external_id": "a", "text": "Two."}), inlet())
    assert isinstance(one, Incoming)
    assert isinstance(two, Incoming)
    assert isinstance(other, Incoming)
    assert one.content_hash == two.content_hash != other.content_hash


def test_a_plain_object_without_any_id_is_unfit() -> None:
    """With the broker's place it has one."""
    value = {"external_id": "a", "text": "One."}
    found = read(value, inlet("plain"))
    assert isinstance(found, Unfit)
    assert "no id" in found.cause
    placed = read(value, inlet("plain"), "17-0")
    assert isinstance(placed, Incoming)
    assert placed.key == ("", "redis:17-0")


def test_a_plain_object_that_names_another_tenant_is_withheld() -> None:
    """Naming none is naming the source's."""
    found = read({"external_id": "a", "text": "One.", "tenantid": str(uuid4())}, inlet("plain"), "1-0")
    assert isinstance(found, Unfit)
    assert found.withheld


@pytest.mark.parametrize("tenant", ["Charlie", 7, ["x"], {"a": 1}, str(UUID(int=7))])
def test_another_tenant_is_withheld_whatever_else_is_wrong(tenant: object) -> None:
    """Also when the schema does not fit."""
    found = read(event(tenantid=tenant, type="nonsense", data=5), inlet())
    assert isinstance(found, Unfit)
    assert found.withheld


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[" * 100_000, b"\xff", b'{"a": NaN}', b'{"a": "\\u0000"}']
)
def test_bytes_that_are_no_object_have_a_cause(body: bytes) -> None:
    """A sentence, and nothing raised."""
    found = read(body, inlet(), most=10**6)
    assert isinstance(found, Unfit)
    assert found.cause.endswith(".")


def test_a_message_over_the_limit_is_not_read() -> None:
    """The sentence names the setting."""
    found = read(event(), inlet(), most=10)
    assert isinstance(found, Unfit)
    assert "KNOWLOG_SOURCES_MAX_MESSAGE_MB" in found.cause


@pytest.mark.parametrize("prefix", ["ce_", "ce-", "cloudevents:", "cloudevents_"])
def test_binary_mode(prefix: str) -> None:
    """Attributes in headers, under each of the prefixes that bindings know."""
    headers = {f"{prefix}{name}": str(value) for name, value in event().items() if name != "data"}
    found = read({"external_id": "a", "text": "One."}, inlet(), **headers)
    assert isinstance(found, Incoming)
    assert found.message_id == "1"


OTHER = str(uuid4())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (f'{{"tenantid": "{OTHER}", broken'.encode(), {}),
        (f'\xff {{"tenantid" : "{OTHER}"}}'.encode("latin-1"), {}),
        (f'{{"a": {{"tenantid": "{OTHER}"}}}}'.encode(), {}),
        (b'{"tenantid": Charlie}', {}),
        (b"not JSON", {"ce_tenantid": OTHER}),
        (b"{}", {"ce-tenantid": "Charlie"}),
        (b'{"tenantid": "%s"}' % OTHER.encode() + b" " * 2000, {}),
    ],
)
def test_what_speaks_of_another_tenant_is_withheld_however_broken(
    body: bytes, headers: dict[str, str]
) -> None:
    """In a header, in bytes that are no JSON, further down, in a message beyond the limit."""
    found = read(body, inlet(), **headers)
    assert isinstance(found, Unfit)
    assert found.withheld


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (f'{{"tenantid": "{TENANT}", broken'.encode(), {}),
        (f'{{"tenantid": "{str(TENANT).upper()}"}}'.encode(), {}),
        (b'{"tenantid": null}', {}),
        (b"not JSON", {"ce_tenantid": str(TENANT), "ce_other": OTHER}),
        (f"not JSON of {OTHER}".encode(), {}),
    ],
)
def test_what_speaks_of_nobody_else_is_shown(body: bytes, headers: dict[str, str]) -> None:
    """Whoever mends it must see what is wrong with it."""
    found = read(body, inlet(), **headers)
    assert isinstance(found, Unfit)
    assert not found.withheld


@pytest.mark.parametrize("other", [
    {"id": ""}, {"source": None}, {"specversion": "0.3"}, {"tenantid": None}, {"tenantid": str(UUID(int=1))},
    {"data": 1},
])  # fmt: skip
def test_every_cause_says_what_to_do(other: dict[str, object]) -> None:
    """More than that something is wrong: what to set, send or give."""
    found = read(event(**other), inlet())
    assert isinstance(found, Unfit)
    assert any(word in found.cause for word in ("Give", "Set", "Send", "must be")), found.cause
