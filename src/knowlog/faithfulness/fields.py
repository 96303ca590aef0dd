"""Passages that are records: which of their fields a claim names, and whether it says of them what stands there."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knowlog.stores import lexemes

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|_|-")
_LONGEST = 100_000
_NO = frozenset({"no", "none", "false", "n", ""})
_YES = frozenset({"yes", "true", "free", "y"})
_OPEN = re.compile(r"[{\[]")


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is true, false or unknown (None), and the lexemes by which a claim names it."""

    lexemes: frozenset[str]
    value: bool | None


def read_record(passage: str) -> Any:
    """Return the record that a passage is, written as JSON or as Python writes one; None where it is prose."""
    found = _OPEN.search(passage[:200])
    if found is None or passage[: found.start()].strip() or len(passage) > _LONGEST:
        return None
    end = max(passage.rfind("}"), passage.rfind("]")) + 1
    text = passage[found.start() : end]
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
        return value if isinstance(value, dict | list) else None
    return None


def yes_no_fields(record: Any) -> list[Field]:
    """Return the fields of a record that are true, false or unknown."""
    found = []
    for path, value in leaves(record):
        known = _truth(value)
        words = frozenset(lexemes(_CAMEL.sub(" ", path[-1]))) if path else frozenset()
        if known is not _NEITHER and words:
            found.append(Field(words, known))
    return found


def leaves(record: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield each value of a record that is no record itself, with the names that lead to it."""
    if isinstance(record, dict):
        for name, value in record.items():
            yield from leaves(value, (*path, str(name)))
    elif isinstance(record, list | tuple):
        for value in record:
            yield from leaves(value, path)
    else:
        yield path, record


_NEITHER = object()


def _truth(value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    return False if said in _NO else True if said in _YES else _NEITHER
