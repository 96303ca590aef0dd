"""A filter drawn from the question: "in the 2023 report" looks only where the metadata say 2023.

The profile's `filter_names` say which metadata may be meant; without any, this is the plain search. A name narrows the
search where some document has a word, a year or up to three neighbouring words of the question as its value; names that
would leave nothing narrow nothing.
"""

from collections.abc import Sequence

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.stores import Filter, parse_filter

_MARKS = " \t\n.,;:?!()[]{}\"'«»“”„"
_MOST_WORDS = 3
_MOST_VALUES = 200


class Filtered:
    """The plain search, of those documents that the question names."""

    name = "filtered"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        values = values_in(looking.question)
        best: Candidates | None = None
        kept: tuple[str, ...] = ()
        async with looking.snapshot():
            for name in looking.profile.filter_names:
                found = await looking.find(narrowed=_filter((*kept, name), values))
                if found.fused:
                    best, kept = found, (*kept, name)
            looking.did("narrowed by the question", names=list(kept))
            return best or await looking.find()


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


def _filter(names: Sequence[str], values: Sequence[str | int]) -> Filter | None:
    return parse_filter({name: list(values) for name in names})
