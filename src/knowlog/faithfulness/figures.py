"""Numbers, times of day and names, in a form in which they can be compared."""

import re
from functools import lru_cache

_WORDS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
    """.split()  # noqa: SIM905 - a list of words reads better without quotes
_VALUES = dict(
    zip(_WORDS, [*range(21), *range(30, 100, 10), 100, 1_000, 1_000_000, 1_000_000_000], strict=True)
) | {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "dozen": 12, "half": 0.5, "twice": 2}
_VAGUE = frozenset({"one", "first", "second", "half", "zero", "hundred", "thousand"})
"""Words that are seldom meant as a number."""
_TIME = re.compile(r"\b(\d{1,2})(?:[:.](\d{1,2}))?\s*([ap])\.?\s?m\b\.?|\b([01]?\d|2[0-4]):(\d{1,2})\b", re.I)
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:\s*(thousand|million|billion|trillion|[kmb])\b)?", re.I)
_WORD_NUMBER = re.compile(rf"\b(?:{'|'.join(_VALUES)})\b", re.I)
_SCALES = {"thousand": 1e3, "k": 1e3, "million": 1e6, "m": 1e6, "billion": 1e9, "b": 1e9, "trillion": 1e12}
_NAME = re.compile(r"\b[^\W\d_a-z]\w*(?:['’-]\w+)*")
_HALF_DAY = 12 * 60


@lru_cache(maxsize=20_000)
def figures(text: str) -> frozenset[str]:
    """Return the numbers and times of day that a text names: "9 p.m." is "21:00", "three" and "3.0" are "3"."""
    times = list(_TIME.finditer(text))
    rest = _TIME.sub(" ", text)
    numbers = {_number(match) for match in _NUMBER.finditer(rest)}
    words = {word.lower() for word in _WORD_NUMBER.findall(_NUMBER.sub(" ", rest))} - _VAGUE
    return frozenset({_time(match) for match in times} | numbers | {_shown(_VALUES[word]) for word in words})


@lru_cache(maxsize=20_000)
def possible_figures(text: str) -> frozenset[str]:
    """Return all that a source's figures can be called: vague words too, and either half of the day for 9:30."""
    found = set(figures(text))
    found |= {_shown(_VALUES[word.lower()]) for word in _WORD_NUMBER.findall(text)}
    for each in list(found):
        hours, colon, minutes = each.partition(":")
        if colon:
            found.add(_clock((int(hours) * 60 + int(minutes) + _HALF_DAY) % (2 * _HALF_DAY)))
            found.add(_shown(int(hours)))
            found.add(_shown(int(hours) % 12))
    return frozenset(found)


def names(text: str) -> list[str]:
    """Return the capitalised words of a text but the first of it, which is capitalised anyway."""
    first = re.search(r"\w", text)
    return [
        match.group() for match in _NAME.finditer(text) if first is None or match.start() != first.start()
    ]


def _time(match: re.Match[str]) -> str:
    hours, minutes, half, full_hours, full_minutes = match.groups()
    if half is None:
        return _clock(int(full_hours) * 60 + int(full_minutes))
    later = _HALF_DAY if half.lower() == "p" else 0
    return _clock(int(hours) % 12 * 60 + int(minutes or 0) + later)


def _clock(minutes: int) -> str:
    return f"{minutes // 60 % 24}:{minutes % 60:02}"


def _number(match: re.Match[str]) -> str:
    scale = match.group(1)
    digits = match.group()[: match.start(1) - match.start()] if scale else match.group()
    return _shown(float(digits.replace(",", "").strip() or 0) * _SCALES.get((scale or "").lower(), 1))


def _shown(value: float) -> str:
    return f"{value:.12g}"
