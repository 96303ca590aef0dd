"""The time that a question names: "since March 2022", "between 2019 and 2021", "last year"."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = "january february march april may june july august september october november december".split()  # noqa: SIM905 - a list of words reads better without quotes
_MONTH = "|".join(f"{name[:3]}(?:{name[3:]}|t)?" for name in _MONTHS)
_MOMENT = (
    rf"(?:(?P<day>(?:1[5-9]|20|21)\d\d-\d\d-\d\d)|(?P<month>(?:1[5-9]|20|21)\d\d-\d\d)"
    rf"|(?P<named>{_MONTH})\.?,?\s+(?P<of>(?:1[5-9]|20|21)\d\d)|(?P<year>(?:1[5-9]|20|21)\d\d)"
    r"|(?P<relative>(?:last|this)\s+(?:year|month)|yesterday|today))"
    r"(?!\w|-(?!(?:1[5-9]|20|21)\d\d\b))"
)
_AT = re.compile(rf"(?<!\w)(?<![^\W\d]-){_MOMENT}", re.IGNORECASE)
_BOUND = re.compile(
    r"\b(since|from|after|before|until|till|by|up\s+to|between|older\s+than|newer\s+than)\s+(?:the\s+)?$",
    re.I,
)
_JOINS = re.compile(r"\s*(?:and|to|until|till|[-–—])\s*", re.IGNORECASE)
_EARLIEST, _LATEST = date(1, 1, 1), date(9999, 1, 1)


@dataclass(frozen=True, slots=True)
class Period:
    """The days [start, end). `bounded`: the question said since, before, between or the like."""

    start: date
    end: date
    bounded: bool = False

    @property
    def years(self) -> tuple[int, int] | None:
        """The years [first, last) where it is of whole years; None where it begins or ends within one."""
        whole = (self.start.month, self.start.day) == (self.end.month, self.end.day) == (1, 1)
        return (self.start.year, self.end.year) if whole else None


def period_in(question: str, today: date) -> Period | None:
    """Return the time that a question names, the first where it names several; None where it names none."""
    found = next(_AT.finditer(question), None)
    first = _period(found, today) if found else None
    if found is None or first is None:
        return None
    before = _BOUND.search(question, 0, found.start())
    word = " ".join(before.group(1).lower().split()) if before else ""
    joint = _JOINS.match(question, found.end())
    second = _AT.match(question, joint.end()) if joint else None
    last = _period(second, today) if second else None
    if (
        last is not None
        and last.start >= first.start
        and word not in ("before", "until", "till", "by", "up to")
    ):
        return Period(first.start, last.end, bounded=True)
    return _bounded(first, word)


def _bounded(named: Period, word: str) -> Period:
    if word in ("since", "from", "between"):
        return Period(named.start, _LATEST, bounded=True)
    if word in ("after", "newer than"):
        return Period(named.end, _LATEST, bounded=True)
    if word in ("before", "older than"):
        return Period(_EARLIEST, named.start, bounded=True)
    if word in ("until", "till", "by", "up to"):
        return Period(_EARLIEST, named.end, bounded=True)
    return named


def _period(found: re.Match[str], today: date) -> Period | None:
    """The days of a year, a month or a day as it is written; None where there is no such day."""
    parts = found.groupdict()
    if parts["relative"]:
        return _relative(" ".join(parts["relative"].lower().split()), today)
    if parts["named"]:
        return _month(int(parts["of"]), _number(parts["named"]))
    if parts["year"]:
        return _year(int(parts["year"]))
    numbers = [int(each) for each in (parts["day"] or parts["month"]).split("-")]
    if not 1 <= numbers[1] <= 12:
        return None
    if parts["month"]:
        return _month(numbers[0], numbers[1])
    try:
        return _days(date(numbers[0], numbers[1], numbers[2]))
    except ValueError:
        return None


def _relative(words: str, today: date) -> Period:
    if words in ("today", "yesterday"):
        return _days(today - timedelta(days=words == "yesterday"))
    if words.endswith("year"):
        return _year(today.year - words.startswith("last"))
    month = date(today.year, today.month, 1)
    before = month - timedelta(days=1)
    return _month(before.year, before.month) if words.startswith("last") else _month(month.year, month.month)


def _number(name: str) -> int:
    return next(place for place, each in enumerate(_MONTHS, start=1) if each.startswith(name[:3].lower()))


def _year(year: int) -> Period:
    return Period(date(year, 1, 1), date(year + 1, 1, 1))


def _month(year: int, month: int) -> Period:
    return Period(date(year, month, 1), date(year + month // 12, month % 12 + 1, 1))


def _days(day: date) -> Period:
    return Period(day, day + timedelta(days=1))
