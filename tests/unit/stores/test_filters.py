"""The metadata filter, as a store outside the database applies it."""

from typing import Any

import pytest

from knowlog.kernel.errors import Invalid
from knowlog.stores import parse_filter

METADATA = {
    "year": 2023, "team": "sales", "tags": ["red", "blue"], "draft": False, "owner": None, "price": 9.5,
    "date": "2023-05-01", "site": {"city": "Oslo"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"year": 2023}, True),
        ({"year": 2024}, False),
        ({"year": "2023"}, False),
        ({"year": {"gte": 2023, "lt": 2024}}, True),
        ({"price": {"gt": 9.5}}, False),
        ({"date": {"gte": "2023-01-01", "lte": "2023-12-31"}}, True),
        ({"date": {"gte": 2023}}, False),
        ({"team": ["sales", "legal"]}, True),
        ({"team": ["legal"]}, False),
        ({"tags": "red"}, True),
        ({"tags": ["green", "blue"]}, True),
        ({"tags": {"not": "red"}}, False),
        ({"draft": False}, True),
        ({"draft": 0}, False),
        ({"owner": None}, True),
        ({"missing": None}, False),
        ({"missing": {"exists": False}}, True),
        ({"owner": {"exists": True}}, True),
        ({"team": {"not": ["legal", "sales"]}}, False),
        ({"missing": {"not": "x"}}, True),
        ({"site.city": "Oslo"}, True),
        ({"site.city": "Rome"}, False),
        ({"year": 2023, "team": "legal"}, False),
    ],
)
def test_a_document_passes_or_not(given: dict[str, Any], expected: bool) -> None:
    """All conditions must hold; values are compared within their type."""
    wanted = parse_filter(given)
    assert wanted is not None
    assert wanted.matches(METADATA) is expected


@pytest.mark.parametrize("given", [None, {}])
def test_nothing_asked_is_no_filter(given: dict[str, Any] | None) -> None:
    """No filter and an empty one are the same."""
    assert parse_filter(given) is None


@pytest.mark.parametrize(
    "given",
    [
        {"a": {}}, {"a": {"regex": ".*"}}, {"a": {"gt": True}}, {"a": {"gt": [1]}}, {"a": []}, {"a": [[1]]},
        {"a": {"exists": 1}}, {"a": float("nan")}, {"a": {"gt": float("inf")}}, {"a": "nul\0"}, {"": 1},
        {"a..b": 1}, {"a": "\ud800"}, {"a": "x" * 1001}, {"a": list(range(201))},
        {str(n): n for n in range(33)}, {"a": 10**40},
        {"a": {"not": {"b": 1}}}, ["a"],
    ],
)  # fmt: skip
def test_a_filter_that_says_nothing_sensible_is_refused(given: Any) -> None:
    """The error says what may be written instead."""
    with pytest.raises(Invalid):
        parse_filter(given)


def test_names_and_values_are_quoted_in_the_path() -> None:
    """Nothing in a filter can become part of the expression."""
    wanted = parse_filter({'a" == 1 || "1': '" || true || "'})
    assert wanted is not None
    assert wanted.jsonpath() == '($."a\\" == 1 || \\"1" == "\\" || true || \\"")'
