"""Contradictions between documents: two sentences that say the same of one thing, but for a figure or a "not".

Nothing is judged to be right: both sides are shown. What is told is meant to be true rather than complete, so much is
asked of a pair: it is from different documents; both sentences fit the question; without their figures and negations they
say the same in nearly the same words; and they differ in exactly one figure of the same kind, or in a negation alone.
Documents that are siblings are about different things (the manuals of two pumps, the reports of two years): their titles
share words and each has its own; nothing they say contradicts the other. docs/answers.md has what was measured.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

from knowlog.answering.extractive import Candidate
from knowlog.answering.sentences import Kind
from knowlog.stores import lexemes

MOST = 3
_LEAST_SHARED = 3
"""So many words say what both sentences are about."""
_LEAST_SAME = 0.75
"""Share of the words of both, without figures, that is in common."""
_LEAST_SUPPORT = 0.4
"""Share of the question's content that each side covers with its context."""
# ruff: noqa: SIM905 - a list of words reads better without quotes
_NUMBERS = """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
    eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion
    eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend
    deux trois quatre cinq sept huit neuf dix onze douze vingt trente cent mille
    dos tres cuatro cinco siete ocho nueve diez once doce veinte treinta cien mil
""".split()
_MONTHS = """
    january february april june july august september october november december monday tuesday wednesday thursday
    friday saturday sunday januar februar märz mai juni juli oktober dezember montag dienstag mittwoch donnerstag
    freitag samstag sonntag
""".split()
_WORD = re.compile(r"\d+(?:[.,:/-]\d+)*|[^\W\d]+(?:['’][^\W\d]+)?")
_DIGIT = re.compile(r"\d")
_FIGURES = frozenset(_NUMBERS)
_DATES = frozenset(_MONTHS)
_NEGATIONS = frozenset(
    """
    not no never cannot without nor none nicht kein keine keinen keiner keinem nie niemals ohne pas jamais aucun sans
    nunca sin ningún ninguna
    """.split()
)


@dataclass(frozen=True, slots=True)
class Clash:
    """Two sentences of different documents of which at most one is right, and what they differ in."""

    differ_in: Literal["figure", "negation"]
    one: Candidate
    other: Candidate


@dataclass(frozen=True, slots=True)
class _Read:
    """A sentence taken apart: what it is about, its figures in their order, and whether it is negated."""

    about: frozenset[str]
    figures: tuple[str, ...]
    negations: int


def contradictions(found: Sequence[Candidate]) -> list[Clash]:
    """Return the contradictions among sentences that fit a question, those of the best sentences first."""
    fitting = [(each, _read(each.quote)) for each in found if _may_contradict(each)]
    told: list[Clash] = []
    for (one, first), (other, second) in combinations(fitting, 2):
        differ_in = _difference(first, second)
        if differ_in and _of_one_thing(one, other) and not any(_told(each, one, other) for each in told):
            told.append(Clash(differ_in, one, other))
    return told[:MOST]


def contradicts(one: str, other: str) -> bool:
    """Whether two sentences that say nearly the same differ in a figure or a negation."""
    first, second = _read(one), _read(other)
    figures = (sorted(map(_value, each.figures)) for each in (first, second))
    return first.negations % 2 != second.negations % 2 or next(figures) != next(figures)


def _may_contradict(candidate: Candidate) -> bool:
    whole = not (candidate.cut_before or candidate.cut_after)
    return candidate.kind in (Kind.PROSE, Kind.ITEM) and whole and candidate.support >= _LEAST_SUPPORT


def _read(quote: str) -> _Read:
    words = [word.casefold() for word in _WORD.findall(quote)]
    figures = tuple(word for word in words if _is_figure(word))
    negations = sum(word in _NEGATIONS or word.endswith(("n't", "n’t")) for word in words)
    rest = " ".join(word for word in words if not _is_figure(word) and word not in _NEGATIONS)
    return _Read(frozenset(lexemes(rest)), figures, negations)


def _is_figure(word: str) -> bool:
    return _DIGIT.match(word) is not None or word in _FIGURES or word in _DATES


def _difference(one: _Read, other: _Read) -> Literal["figure", "negation"] | None:
    """What two sentences differ in, of which the rest is the same; None where they do not, or differ in more."""
    shared = one.about & other.about
    if len(shared) < _LEAST_SHARED or len(shared) < _LEAST_SAME * len(one.about | other.about):
        return None
    if one.figures == other.figures:
        same_words = one.about == other.about
        return "negation" if same_words and one.negations % 2 != other.negations % 2 else None
    if len(one.figures) != len(other.figures) or one.negations % 2 != other.negations % 2:
        return None
    unlike = [
        pair for pair in zip(one.figures, other.figures, strict=True) if _value(pair[0]) != _value(pair[1])
    ]
    return "figure" if len(unlike) == 1 and _kind(unlike[0][0]) == _kind(unlike[0][1]) else None


def _value(figure: str) -> str:
    """A figure as it can be compared: 2.0 is 2, and two is 2."""
    if figure in _NUMBERS[:13]:
        return str(_NUMBERS.index(figure))
    bare = figure.replace(",", "")
    return bare.rstrip("0").rstrip(".") if "." in bare else bare


def _kind(figure: str) -> str:
    if figure in _DATES:
        return "name of a date"
    return "year" if re.fullmatch(r"(?:1[5-9]|20)\d\d", figure) else "number"


def _of_one_thing(one: Candidate, other: Candidate) -> bool:
    """Whether two passages are of different documents that are no siblings."""
    mine, theirs = one.passage, other.passage
    if mine.document_id == theirs.document_id:
        return False
    return not any(
        _siblings(first, second)
        for first, second in (
            (mine.title, theirs.title),
            _below_their_folders(mine.external_id, theirs.external_id),
        )
    )


def _below_their_folders(one: str, other: str) -> tuple[str, str]:
    """Two external ids without the folders that both stand in, which say nothing of what either is about."""
    first, second = (re.split(r"[/\\]", each) for each in (one, other))
    common = 0
    while common < min(len(first), len(second)) - 1 and first[common] == second[common]:
        common += 1
    return "/".join(first[common:]), "/".join(second[common:])


def _siblings(one: str, other: str) -> bool:
    """Whether two titles name different things of one kind: they share words, and each has words of its own."""
    first, second = (frozenset(_words_of(title)) for title in (one, other))
    return bool(first & second and first - second and second - first)


def _words_of(title: str) -> Iterator[str]:
    for word in re.findall(r"\d+|[^\W\d_]+", title.casefold()):
        if word not in _ENDINGS:
            yield word


_ENDINGS = frozenset("txt md html htm pdf docx doc xlsx csv json the of and".split())


def _told(each: Clash, one: Candidate, other: Candidate) -> bool:
    """Whether it is told already, by the same two documents."""
    documents = {one.passage.document_id, other.passage.document_id}
    return {each.one.passage.document_id, each.other.passage.document_id} == documents
