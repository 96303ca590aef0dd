"""The check that guards published schemas finds every way to break a reader, and lets additions pass."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from knowlog.bus.catalogue import EventData, EventType
from knowlog.bus.compatibility import incompatibilities
from knowlog.bus.publishing import breaches, unpublished


class Part(EventData):
    page: int


class Published(EventData):
    """Something was measured."""

    size_bytes: int = Field(ge=0, le=100)
    state: Literal["open", "shut"]
    parts: list[Part]
    note: str | None = None
    code: str = Field("", max_length=10, pattern="^[a-z]*$")


def schema(model: type[EventData], version: int = 1) -> dict[str, object]:
    return EventType("thing.measured", model, version=version).schema()


def test_the_same_is_compatible() -> None:
    """Nothing changed, nothing said."""
    assert incompatibilities(schema(Published), schema(Published)) == []


class Grown(Published):
    """Something was measured, or weighed: other words for people."""

    size_bytes: int = Field(ge=0, le=100, description="Now with a description.")
    weight_g: float | None = None


def test_a_member_with_a_default_may_be_added_and_words_may_change() -> None:
    """Readers pass it over."""
    assert incompatibilities(schema(Published), schema(Grown)) == []


class WithoutDefault(Published):
    weight_g: float


class Removed(EventData):
    size_bytes: int = Field(ge=0, le=100)
    state: Literal["open", "shut"]
    parts: list[Part]
    code: str = Field("", max_length=10, pattern="^[a-z]*$")


class Renamed(Removed):
    remark: str | None = None


class OtherUnit(EventData):
    size_kb: int = Field(ge=0, le=100)
    state: Literal["open", "shut"]
    parts: list[Part]
    note: str | None = None
    code: str = Field("", max_length=10, pattern="^[a-z]*$")


class OtherType(Published):
    size_bytes: float = Field(ge=0, le=100)  # type: ignore[assignment]


class Nullable(Published):
    size_bytes: Annotated[int, Field(ge=0, le=100)] | None  # type: ignore[assignment]


class NotNullable(Published):
    note: str = ""  # type: ignore[assignment]


class Narrowed(Published):
    state: Literal["open"]  # type: ignore[assignment]


class Widened(Published):
    state: Literal["open", "shut", "ajar"]  # type: ignore[assignment]


class Looser(Published):
    size_bytes: int = Field(ge=0, le=200)


class Tighter(Published):
    size_bytes: int = Field(ge=1, le=100)


class Unbound(Published):
    size_bytes: int = Field(ge=0)


class Bound(Published):
    note: str | None = Field(None, max_length=10)


class OtherPattern(Published):
    code: str = Field("", max_length=10, pattern="^[A-Z]*$")


class OtherDefault(Published):
    code: str = Field("x", max_length=10, pattern="^[a-z]*$")


class NowRequired(Published):
    note: str | None  # type: ignore[misc]


class NowOptional(Published):
    state: Literal["open", "shut"] = "open"


class OtherPart(EventData):
    page: str


class OtherInside(Published):
    parts: list[OtherPart]  # type: ignore[assignment]


class GrownPart(Part):
    line: int


class GrownInside(Published):
    parts: list[GrownPart]  # type: ignore[assignment]


class NotAList(Published):
    parts: Part  # type: ignore[assignment]


PLANTED = {
    WithoutDefault: "weight_g was added without a default",
    Removed: "note was removed or renamed",
    Renamed: "note was removed or renamed",
    OtherUnit: "size_bytes was removed or renamed",
    OtherType: "size_bytes: type changed from integer to number",
    Nullable: "size_bytes: anyOf was added",
    NotNullable: "note: anyOf was removed",
    Narrowed: "state: ",
    Widened: "state: enum changed",
    Looser: "size_bytes: maximum changed from 100 to 200",
    Tighter: "size_bytes: minimum changed from 0 to 1",
    Unbound: "size_bytes: maximum was removed",
    Bound: "maxLength was added",
    OtherPattern: "code: pattern changed",
    OtherDefault: "code: default changed",
    NowRequired: "note must now be there",
    NowOptional: "state may now be absent",
    OtherInside: "page: type changed from integer to string",
    GrownInside: "line was added without a default",
    NotAList: "parts: items was removed",
}


@pytest.mark.parametrize("model", PLANTED, ids=lambda model: model.__name__)
def test_a_planted_break_is_found(model: type[EventData]) -> None:
    """Each kind of it, in words that name the member."""
    found = incompatibilities(schema(Published), schema(model))
    assert any(PLANTED[model] in each for each in found), found


def test_a_type_that_is_published_does_not_vanish() -> None:
    """Nor does its version go back; a new version leaves the old file alone."""
    published = {("thing.measured", 2): schema(Published, 2)}
    assert "no longer in the catalogue" in breaches(published, [])[0]
    assert "no longer in the catalogue" in breaches(published, [EventType("thing.measured", Published)])[0]
    assert breaches(published, [EventType("thing.measured", Removed, version=3)]) == []
    assert len(breaches(published, [EventType("thing.measured", Removed, version=2)])) == 1


def test_what_is_not_yet_published_is_known() -> None:
    """A new type, a new version, an addition."""
    published = {("thing.measured", 1): schema(Published)}
    assert unpublished(published, [EventType("thing.measured", Published)]) == []
    for fresh in (
        EventType("thing.measured", Published, version=2),
        EventType("thing.lost", Published),
        EventType("thing.measured", Grown),
    ):
        assert unpublished(published, [fresh]) == [fresh]
