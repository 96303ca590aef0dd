"""The metadata filter: a small language of JSON that can say nothing but comparisons.

    {"year": 2023, "team": ["sales", "legal"], "amount": {"gte": 3, "lt": 10}, "draft": {"not": true}}

All entries must hold. A scalar asks for equality, or, of a stored list, that it contains the value; a list
asks for any of its values; an object holds comparisons: gt, gte, lt, lte (numbers, or strings such as ISO
dates), not (scalar or list), exists (true or false). A dot in a name goes into nested objects.
"""

import json
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from knowlog.kernel.errors import Invalid

_MOST_FIELDS = 32
_MOST_VALUES = 200
_LONGEST = 1000
_RANGES: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "gt": (">", operator.gt),
    "gte": (">=", operator.ge),
    "lt": ("<", operator.lt),
    "lte": ("<=", operator.le),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison: `operator` is one of any, not, exists, gt, gte, lt, lte."""

    path: tuple[str, ...]
    operator: str
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions on a document's metadata, all of which must hold."""

    conditions: tuple[Condition, ...]

    def jsonpath(self) -> str:
        """Return the SQL/JSON path predicate that says the same, with every name and value quoted."""
        return " && ".join(f"({_jsonpath(condition)})" for condition in self.conditions)

    def matches(self, metadata: Mapping[str, Any]) -> bool:
        """Say whether the metadata of a document satisfies all conditions."""
        return all(_matches(condition, metadata) for condition in self.conditions)


def both(one: Filter | None, other: Filter) -> Filter:
    """Return the filter that asks for all that two ask for."""
    return other if one is None else Filter(one.conditions + other.conditions)


def parse_filter(given: Mapping[str, Any] | None) -> Filter | None:
    """Read a filter as a caller wrote it; None or an empty object is no filter. Raises Invalid."""
    if not given:
        return None
    if not isinstance(given, Mapping) or len(given) > _MOST_FIELDS:
        raise Invalid(f"The filter must be a JSON object with at most {_MOST_FIELDS} names.")
    return Filter(
        tuple(condition for name, wanted in given.items() for condition in _conditions(name, wanted))
    )


def _conditions(name: str, wanted: Any) -> list[Condition]:
    path = tuple(_text(name, "name").split("."))
    if not all(path):
        raise Invalid(
            f"The filter's name {name!r} has an empty part."
            " Write names as in the metadata, nested ones with dots."
        )
    if not isinstance(wanted, Mapping):
        return [Condition(path, "any", _values(name, wanted))]
    if not wanted:
        raise Invalid(
            f"The filter for {name!r} is an empty object. Use gt, gte, lt, lte, not or exists inside it."
        )
    return [_comparison(name, path, key, value) for key, value in wanted.items()]


def _comparison(name: str, path: tuple[str, ...], key: str, value: Any) -> Condition:
    if key == "not":
        return Condition(path, "not", _values(name, value))
    if key == "exists" and isinstance(value, bool):
        return Condition(path, "exists", (value,))
    if key in _RANGES and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        return Condition(path, key, (_scalar(name, value),))
    raise Invalid(
        f"The filter for {name!r} has {key!r}: {str(value)[:50]!r}."
        " Use gt, gte, lt, lte with a number or string,"
        " not with a value or list, exists with true or false."
    )


def _values(name: str, wanted: Any) -> tuple[Any, ...]:
    values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if not 1 <= len(values) <= _MOST_VALUES:
        raise Invalid(f"The filter for {name!r} must list between 1 and {_MOST_VALUES} values.")
    return tuple(_scalar(name, value) for value in values)


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, str):
        return _text(value, "value")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 10**30:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise Invalid(f"The filter for {name!r} may hold strings, finite numbers, true, false and null only.")


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 0 <= len(value) <= _LONGEST or "\0" in value:
        raise Invalid(
            f"A {what} in the filter must be a string of at most {_LONGEST} characters, without NUL."
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"A {what} in the filter is not valid Unicode.") from error
    return value


def _jsonpath(condition: Condition) -> str:
    path = "$" + "".join(f".{json.dumps(part)}" for part in condition.path)
    if condition.operator == "exists":
        return f"exists({path})" if condition.values[0] else f"!(exists({path}))"
    if condition.operator in _RANGES:
        return f"{path} {_RANGES[condition.operator][0]} {json.dumps(condition.values[0])}"
    any_of = " || ".join(f"{path} == {json.dumps(value)}" for value in condition.values)
    return any_of if condition.operator == "any" else f"!({any_of}) || ({any_of}) is unknown"


def _matches(condition: Condition, metadata: Mapping[str, Any]) -> bool:
    stored = _stored(metadata, condition.path)
    if condition.operator == "exists":
        return bool(bool(stored) == condition.values[0])
    items = [item for value in stored for item in (value if isinstance(value, list) else [value])]
    if condition.operator in _RANGES:
        compare, wanted = _RANGES[condition.operator][1], condition.values[0]
        return any(_comparable(item, wanted) and bool(compare(item, wanted)) for item in items)
    found = any(_equal(item, wanted) for item in items for wanted in condition.values)
    return found == (condition.operator == "any")


def _stored(value: Any, path: tuple[str, ...]) -> list[Any]:
    """What stands at a path: nothing, one value, or several where a list of objects lies on the way."""
    if not path:
        return [value]
    if isinstance(value, list):
        return [found for item in value if isinstance(item, Mapping) for found in _stored(item, path)]
    if isinstance(value, Mapping) and path[0] in value:
        return _stored(value[path[0]], path[1:])
    return []


def _equal(stored: Any, wanted: Any) -> bool:
    return isinstance(stored, bool) == isinstance(wanted, bool) and bool(stored == wanted)


def _comparable(stored: Any, wanted: Any) -> bool:
    if isinstance(stored, bool):
        return False
    return isinstance(stored, str) == isinstance(wanted, str) and isinstance(stored, (int, float, str))
