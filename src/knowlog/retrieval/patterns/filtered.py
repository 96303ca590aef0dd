"""A filter drawn from the question: "in the 2023 report", "since March 2022" look only where the metadata say so.

The profile's `filter_names` say which metadata may be meant; without any, this is the plain search. A name narrows the
search where some document has a word, a year or up to three neighbouring words of the question as its value, or a moment
in a time that the question names; names that would leave nothing narrow nothing.
"""

from typing import Any

from knowlog.kernel import now
from knowlog.retrieval.looking import Candidates, Looking
from knowlog.retrieval.times import Period, period_in
from knowlog.stores import parse_filter

_MARKS = " \t\n.,;:?!()[]{}\"'«»“”„"
_MOST_WORDS = 3
_MOST_VALUES = 200


class Filtered:
    """The plain search, of those documents that the question names."""

    name = "filtered"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        choices = choices_in(looking.question)
        best: Candidates | None = None
        kept: dict[str, Any] = {}
        async with looking.snapshot():
            for name in looking.profile.filter_names:
                for wanted in choices:
                    found = await looking.find(narrowed=parse_filter({**kept, name: wanted}))
                    if found.fused:
                        best, kept[name] = found, wanted
                        break
            looking.did("narrowed by the question", names=list(kept))
            return best or await looking.find()


def choices_in(question: str) -> list[Any]:
    """Return what a question may ask of one name, the most telling first: a time with a bound, a value, a time.

    Whoever asks for what was "before 2022" does not mean 2022, so a bound comes before the values.
    """
    period = period_in(question, now().date())
    values = values_in(question)
    given = [values] if values else []
    if period is None:
        return given
    times = _of_period(period)
    return [*times, *given] if period.bounded else [*given, *times]


def _of_period(period: Period) -> list[Any]:
    """A period as years that are numbers, where it is of whole years, and as dates, which are text."""
    dates = {"gte": period.start.isoformat(), "lt": period.end.isoformat()}
    years = period.years
    return [dates] if years is None else [{"gte": years[0], "lt": years[1]}, _by_years(years)]


def _by_years(years: tuple[int, int]) -> dict[str, str]:
    """As text: "2023" comes before every date of that year, however it goes on."""
    return {"gte": f"{years[0]:04}", "lt": f"{years[1]:04}"}


def values_in(question: str) -> list[str | int]:
    """Return what a question may name: its words and neighbouring words, as written and in usual cases; numbers too."""
    words = [word for each in question.split() if (word := each.strip(_MARKS))]
    phrases = [
        " ".join(words[start : start + count])
        for count in range(1, _MOST_WORDS + 1)
        for start in range(len(words) - count + 1)
    ]
    written = [form for each in phrases for form in (each, each.lower(), each.title(), each.upper())]
    numbers = [int(word) for word in words if word.isascii() and word.isdigit() and len(word) < 10]
    found: list[str | int] = [*numbers, *written]
    return list(dict.fromkeys(found))[:_MOST_VALUES]
