"""What a question asks about: its lexemes, how telling each is, and whether it wants a figure."""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowlog.kernel.errors import Invalid
from knowlog.retrieval import apart
from knowlog.stores import TermStatistics, lexemes

LONGEST_QUESTION = 4_000
"""Characters that a question may have."""

PRIOR_CHUNKS = 50
"""Chunks' worth of belief that all words tell alike: in a handful of chunks, frequencies are chance."""

CARRIED_CREDIT = 0.3
"""What words weigh that a question carries over from those before it: they tell what it is about, not what it asks."""

_MIDDLE = math.log(10)
_WORD = re.compile(r"\w+")
_NAME = re.compile(r"\w+(?:['’.,-]\w+)*")
_DIGIT = re.compile(r"\d")
_FIGURE = re.compile(
    r"\bhow (many|much|long|old|far|large|big|tall|high|often|deep|fast|soon)\b|\bwhen\b"
    r"|\b(what|which) (\w+ ){0,2}?(year|date|day|month|century|time|number|amount|percent|percentage)\b"
    r"|\b(size|age|price|cost|costs)\b"
)


@dataclass(frozen=True, slots=True)
class Question:
    """A question read: `weights` gives each of its lexemes its share of the content; they add up to 1.

    `wants_figure` tells whether it asks, in English, for a number, a date or a time. `names` are the lexemes
    of its names and numbers: words with a digit, and capitalised ones but the first.
    """

    text: str
    weights: Mapping[str, float]
    wants_figure: bool
    names: frozenset[str] = frozenset()

    def coverage(self, found: frozenset[str]) -> float:
        """Return the share, 0 to 1, of the question's content that is among the lexemes `found`."""
        return sum(weight for lexeme, weight in self.weights.items() if lexeme in found)

    def missing(self, found: frozenset[str]) -> float:
        """Return the share, 0 to 1, of the question's content that is names and numbers not among `found`."""
        return sum(weight for lexeme, weight in self.weights.items() if lexeme in self.names - found)


def valid_question(text: str) -> str:
    """Return the question without outer white space, or raise Invalid with what is wrong with it."""
    question = text.strip()
    if not question:
        raise Invalid("The question is empty: send at least one word.")
    if len(question) > LONGEST_QUESTION:
        raise Invalid(
            f"The question has {len(question):,} characters; shorten it to {LONGEST_QUESTION:,} or fewer."
        )
    for position, character in enumerate(question):
        if character not in "\n\t\r" and unicodedata.category(character) in ("Cc", "Cs"):
            raise Invalid(
                f"The question holds the control character U+{ord(character):04X} at {position}: remove it."
            )
    return question


def read_question(text: str, statistics: TermStatistics | None = None) -> Question:
    """Read a question that is valid. Without statistics all its lexemes tell as much as each other."""
    found = dict.fromkeys(lexemes(text) or _WORD.findall(text.casefold()))
    weights = _telling(found, statistics) if statistics else dict.fromkeys(found, 1.0)
    asked, carried = apart(text)
    for lexeme in set(lexemes(carried)) - set(lexemes(asked)):
        weights[lexeme] *= CARRIED_CREDIT
    total = sum(weights.values())
    shares = {lexeme: weight / total for lexeme, weight in weights.items()}
    return Question(text, shares, _FIGURE.search(text.casefold()) is not None, _names(text))


def _names(text: str) -> frozenset[str]:
    """Return the lexemes of names and numbers; none where most words are capitalised."""
    words = _NAME.findall(text)
    if sum(word[0].isupper() for word in words) > len(words) / 2 > 1:
        return frozenset()
    named = [word for word in words[1:] if word[0].isupper()] + [
        word for word in words if _DIGIT.search(word)
    ]
    return frozenset(lexemes(" ".join(named)))


def _telling(found: Iterable[str], statistics: TermStatistics) -> dict[str, float]:
    """Return how telling each lexeme is: its inverse document frequency, drawn to the middle in few chunks.

    The middle is that of a lexeme in one chunk of ten, and what a lexeme has that was not looked up.
    """
    known = {term.lexeme: term.inverse_frequency for term in statistics.terms}
    count = statistics.chunk_count
    return {
        lexeme: (count * known.get(lexeme, _MIDDLE) + PRIOR_CHUNKS * _MIDDLE) / (count + PRIOR_CHUNKS)
        for lexeme in found
    }
