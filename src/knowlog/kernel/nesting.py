"""How deep JSON may be nested."""

MOST_LEVELS = 32
"""JSON that comes in may have so many arrays and objects within each other. What is written again has to fit
into what orjson writes (254 levels), wherever it is put.
"""


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
