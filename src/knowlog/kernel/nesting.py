"""What JSON may not hold: too many levels, and the NUL character."""

import re

MOST_LEVELS = 32
"""JSON that comes in may have so many arrays and objects within each other. What is written again has to fit
into what orjson writes (254 levels), wherever it is put.
"""


_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # escaped, and the backslash itself is not


def holds_nul(raw: bytes) -> bool:
    """Say whether JSON holds the NUL character, which no database stores. Its escape may be spelt as text."""
    return _NUL.search(raw) is not None


def too_deep(value: object, most: int = MOST_LEVELS) -> bool:
    """Say whether lists and dicts are nested more than `most` levels. Goes level by level, without recursion."""
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(most):
        if not level:
            return False
        level = [
            child
            for each in level
            for child in (each.values() if isinstance(each, dict) else each)
            if isinstance(child, (dict, list))
        ]
    return bool(level)
