"""Laws of events: what is published is kept, quantities name their unit, the document and the guide are current."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from knowlog.bus import CATALOGUE, INCOMING, EventType, describe_events
from knowlog.bus.publishing import breaches, published_schemas, unpublished

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "events.md"
RULES = Path(__file__).with_name("asyncapi-3.0.0.schema.json.gz")
"""JSON Schema of AsyncAPI 3.0.0, from the npm package @asyncapi/specs 6.11.1 (Apache-2.0), without its blanks."""
UNITS = ("_bytes", "_ms", "_s", "_days", "_count")
COUNTS = {"version", "profile_version", "chunks", "attempts", "attempt"}
"""Numbers whose name is what they count."""


def test_no_published_schema_is_broken() -> None:
    """A reader of today reads tomorrow's events. If this fails, the message says what to do."""
    assert breaches(published_schemas()) == []


def test_every_schema_is_published() -> None:
    """What was added is in the files: `make schemas` writes them."""
    assert unpublished(published_schemas()) == []


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_a_type_is_named_and_described(kind: EventType) -> None:
    """noun.past_participle, a sentence, and a sentence for each member."""
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+", kind.name)
    assert kind.description.endswith(".")
    for name, member in kind.schema()["properties"].items():
        assert member.get("description", "").endswith("."), name


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_quantities_name_their_unit(kind: EventType) -> None:
    """size_bytes, took_ms: nobody has to guess."""
    for name, member in kind.schema()["properties"].items():
        types = {member.get("type")} | {each.get("type") for each in member.get("anyOf", ())}
        if types & {"integer", "number"}:
            assert name in COUNTS or name.endswith(UNITS), f"{kind.name}: {name} has no unit"


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=lambda kind: kind.name)
def test_a_schema_is_one(kind: EventType) -> None:
    """Valid by its own dialect, and open to members that are added."""
    schema = kind.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert "additionalProperties" not in schema


def test_the_asyncapi_document_is_valid() -> None:
    """By the schema of AsyncAPI 3.0.0 itself."""
    rules = json.loads(gzip.decompress(RULES.read_bytes()))
    document = describe_events("1.2.3")
    jsonschema.Draft7Validator(rules).validate(document)
    with pytest.raises(jsonschema.ValidationError):  # the rules do bind
        jsonschema.Draft7Validator(rules).validate({**document, "channels": {"log": {"messages": []}}})


def test_the_asyncapi_document_names_every_way_that_events_take() -> None:
    """The log, webhooks, the operator's topic, whose events may have their data elsewhere, and sources."""
    channels = describe_events("1.2.3")["channels"]
    assert {name: len(each["messages"]) - len(CATALOGUE) for name, each in channels.items()} == {
        "log": 0, "webhook": 0, "published": 1, "source": len(INCOMING) - len(CATALOGUE),
    }  # fmt: skip


def test_every_reference_in_the_asyncapi_document_leads_somewhere() -> None:
    """To a part of the same document."""
    document = describe_events("1.2.3")

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from (each for name, each in node.items() if name == "$ref")
        for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from references(each)

    found = set(references(document))
    assert len(found) >= 2 * len(CATALOGUE)
    for reference in found:
        part: Any = document
        for name in reference.removeprefix("#/").split("/"):
            part = part[name]


def table() -> str:
    """The table of the guide as it should be."""
    rows = []
    for kind in CATALOGUE.values():
        members = ", ".join(f"`{name}`" for name in kind.schema()["properties"])
        rows.append(f"| `{kind.name}` | {kind.description} | {members} |")
    return "\n".join(["| type | what has happened | data |", "|---|---|---|", *rows])


def test_the_guide_lists_every_event() -> None:
    """docs/guide/events.md holds the table that the catalogue makes."""
    before, after = (
        "<!-- made from the catalogue of events; tests/house keeps it current -->\n",
        "\n<!-- end -->",
    )
    page = GUIDE.read_text()
    head, _, rest = page.partition(before)
    current, _, tail = rest.partition(after)
    assert tail, "the guide has lost its marks"
    if current == table():
        return
    GUIDE.write_text(head + before + table() + after + tail)
    pytest.fail("docs/guide/events.md was out of date and has been written anew. Look at it and commit it.")
