"""Words for a person: what a validator (Pydantic) found wrong, and so many of something.

What was found wrong continues a sentence that begins with the name of the value: "limit must be at least 1".
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Context = Mapping[str, Any]

_MOMENT = "must be a moment such as 2027-01-31T00:00:00Z"
_WORDS: dict[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; check its spelling",
    "string_type": "must be text",
    "string_unicode": "must be valid Unicode text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "uuid_type": "must be an id, such as 0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b",
    "uuid_parsing": "must be an id, such as 0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b",
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "timezone_aware": "must name its time zone, as in 2027-01-31T00:00:00Z",
    "dict_type": "must be a JSON object",
    "model_type": "must be a JSON object",
    "model_attributes_type": "must be a JSON object",
    "list_type": "must be a list",
    "frozen_set_type": "must be a list, separated by commas",
    "path_type": "must be a path",
}
_MEASURED: dict[str, Callable[[Context], str]] = {
    "string_too_short": lambda c: _at_least(c["min_length"], "character"),
    "string_too_long": lambda c: f"must have at most {counted(c['max_length'], 'character')}",
    "too_short": lambda c: _at_least(c["min_length"], _part(c)),
    "too_long": lambda c: f"must have at most {counted(c['max_length'], _part(c))}",
    "greater_than": lambda c: f"must be more than {_number(c['gt'])}",
    "greater_than_equal": lambda c: f"must be at least {_number(c['ge'])}",
    "less_than": lambda c: f"must be less than {_number(c['lt'])}",
    "less_than_equal": lambda c: f"must be at most {_number(c['le'])}",
    "literal_error": lambda c: f"must be one of {str(c['expected']).replace(chr(39), '')}",
    "enum": lambda c: f"must be one of {str(c['expected']).replace(chr(39), '')}",
    "string_pattern_mismatch": lambda c: f"must match {c['pattern']}",
}


def wrong_with(error: Mapping[str, Any]) -> str:
    """Say what is wrong with a value, without a full stop: "must be a whole number".

    `error` is one of those of Pydantic's ValidationError.errors(). What a check of ours raised (a value_error)
    says so in its own words.
    """
    kind = str(error["type"])
    if kind in _WORDS:
        return _WORDS[kind]
    if kind in _MEASURED and error.get("ctx"):
        return _MEASURED[kind](error["ctx"])
    return _ours(str(error["msg"]))


def _ours(message: str) -> str:
    words = message.removeprefix("Value error, ").rstrip(".")
    for theirs, plain in (("Input should be", "must be"), ("Input should", "must"), ("Value should", "must")):
        words = words.replace(theirs, plain)
    return words[:1].lower() + words[1:] if words[1:2].islower() else words


def _number(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _part(context: Context) -> str:
    """What a length counts: Pydantic names secret text a "Value", as it calls everything that it does not know."""
    return "character" if context.get("field_type") == "Value" else "entry"


def _at_least(least: int, what: str) -> str:
    return "must not be empty" if least == 1 else f"must have at least {counted(least, what)}"


def counted(number: int, what: str) -> str:
    """So many of something, which is named in the singular: "1 document", "1,200 documents", "2 searches"."""
    head, of, rest = what.partition(" of ")
    many = re.sub(r"(?<=[^aeiou])y$", "ie", re.sub(r"(ch|sh|x|ss)$", r"\1e", head)) + "s"
    return f"{number:,} {head if number == 1 else many}{of}{rest}"
