"""Passages read once, so that many claims can be held against them."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from knowlog.faithfulness.claims import sentence_spans
from knowlog.faithfulness.fields import Field, read_record, yes_no_fields
from knowlog.faithfulness.figures import possible_figures
from knowlog.faithfulness.model import Basis
from knowlog.stores import lexemes

_FIELD = re.compile(r"""[{,]\s*(?=\{?['"][^'"]{1,60}['"]\s*:)""")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|\\n|_")
_MOST_UNITS = 2_000


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence of a passage, or a field of a record: what a claim may rest on."""

    basis: Basis
    lexemes: frozenset[str]
    figures: frozenset[str]


@dataclass(frozen=True, slots=True)
class Source:
    """What passages hold. `telling` says of each lexeme how rare it is in them: the fewer units, the more it tells."""

    units: tuple[Unit, ...]
    lexemes: frozenset[str]
    figures: frozenset[str]
    neighbours: frozenset[tuple[str, str]]
    telling: dict[str, float]
    fields: tuple[Field, ...]
    is_record: bool
    text: str

    @property
    def most_telling(self) -> float:
        """The weight of a lexeme that stands nowhere."""
        return math.log(2 + len(self.units))

    def weight(self, lexeme: str) -> float:
        """How much a lexeme tells, above 0."""
        return self.telling.get(lexeme, self.most_telling)


def read_source(passages: Sequence[str]) -> Source:
    """Read passages. What comes after two thousand sentences is not looked at."""
    records = [read_record(each) for each in passages]
    units = [
        unit
        for number, (passage, record) in enumerate(zip(passages, records, strict=True))
        for unit in _units(number, passage, record)
    ][:_MOST_UNITS]
    ordered = [readable_lexemes(each) for each in passages]
    counts = Counter(lexeme for unit in units for lexeme in unit.lexemes)
    return Source(
        units=tuple(units),
        lexemes=frozenset(lexeme for each in ordered for lexeme in each),
        figures=frozenset().union(*(unit.figures for unit in units)),
        neighbours=frozenset(pair for each in ordered for pair in neighbours(each)),
        telling={lexeme: math.log(1 + (1 + len(units)) / count) for lexeme, count in counts.items()},
        fields=tuple(field for record in records if record is not None for field in yes_no_fields(record)),
        is_record=any(record is not None for record in records),
        text="\n".join(" ".join(each.split()).lower() for each in passages),
    )


def readable_lexemes(text: str) -> list[str]:
    """Return the lexemes of a text, and of the words that a field's name is made of."""
    return lexemes(_CAMEL.sub(" ", text))


def neighbours(found: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of lexemes that stand side by side, or with one between them."""
    yield from pairwise(found)
    yield from zip(found, found[2:], strict=False)


def _units(number: int, passage: str, record: Any) -> Iterator[Unit]:
    pieces = [(0, len(passage))] if record is None else list(_pieces(passage))
    for start, end in pieces:
        for first, last in sentence_spans(passage[start:end]):
            quote = passage[start + first : start + last]
            basis = Basis(number, start + first, start + last, quote)
            yield Unit(basis, frozenset(readable_lexemes(quote)), possible_figures(quote))


def _pieces(passage: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of a record's fields."""
    start = 0
    for match in _FIELD.finditer(passage):
        yield start, match.end()
        start = match.end()
    yield start, len(passage)
