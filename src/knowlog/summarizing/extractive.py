"""Sentences to a summary of quotations: those that say most, in the order in which they stand, as long as was wished."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from knowlog.summarizing.fitting import fit
from knowlog.summarizing.forms import ordered, rendered
from knowlog.summarizing.model import Content, Count, Form, Length, Quotable, SummaryStatement
from knowlog.summarizing.ranking import worths
from knowlog.summarizing.shortening import begun

TOO_SHORT = "The documents have less to quote than was wished: this is all there is."
NOT_MET = "No choice of sentences has the length that was wished: this is the nearest."
NOTHING = "There is nothing to quote: the documents have no text."
_ITEMS = 160
"""So many of the best sentences are tried together, besides those that are needed to reach the length."""
_ROOM = 6
"""So many words are left at least for the beginning of a sentence."""
_FIGURES = 1.15
"""An executive reads for figures: sentences that hold one are worth so much more."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A statement that could stand in a summary, and what a word of it is worth."""

    statement: SummaryStatement
    worth: float


def extract(
    found: Sequence[Quotable],
    length: Length,
    form: Form,
    count: Count,
    relevance: Sequence[float] | None = None,
) -> Content:
    """Summarize by quotations. `found` come in the order in which they are to be read."""
    values = worths(found, relevance)
    quoted = [
        Candidate(_quotation(each, value), value * _interest(each, form))
        for each, value in zip(found, values, strict=True)
    ]
    return composed(quoted, length, form, count)


def composed(candidates: Sequence[Candidate], length: Length, form: Form, count: Count) -> Content:
    """Choose among statements, given in reading order, those worth most that are as long together as was wished."""
    pool = _pool(candidates, length, form, count)
    chosen = _choice(pool, length)
    statements = [candidates[place].statement for place in chosen]
    if not length.low <= pool.size(chosen) <= length.high:
        statements = _with_a_part(pool, length, count) or statements
    statements = ordered(statements, form)
    text = rendered(statements, form)
    size = count(text)
    within = length.low <= size <= length.high
    notes = () if within else (_why_not(chosen, candidates),)
    return Content(text, tuple(statements), size, within, notes=notes)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Candidates with what each counts, the `mark` of a list with it, and the places of those worth trying. `lead` is
    what the first statement of a form counts less, because it has no mark.
    """

    candidates: Sequence[Candidate]
    sizes: Sequence[int]
    places: Sequence[int]
    mark: int
    lead: int

    def size(self, chosen: Iterable[int]) -> int:
        """What the statements at these places count together."""
        return max(0, sum(self.sizes[place] for place in chosen) - self.lead)

    def fit(self, low: int, high: int) -> list[int]:
        """The places of those worth most together, from `low` to `high`, or as near as may be."""
        values = [self.candidates[place].worth * self.sizes[place] for place in self.places]
        sizes = [self.sizes[place] for place in self.places]
        return [self.places[each] for each in fit(values, sizes, low + self.lead, high + self.lead)]


def _pool(candidates: Sequence[Candidate], length: Length, form: Form, count: Count) -> _Pool:
    mark = 0 if form == "brief" else 1
    sizes = [count(each.statement.text) + mark for each in candidates]
    lead = 1 if form == "executive" else 0
    return _Pool(candidates, sizes, _worth_trying(candidates, sizes, length), mark, lead)


def _choice(pool: _Pool, length: Length) -> list[int]:
    """The places of the statements chosen, in their order: near the wish if that is possible. The marks of a list may be
    counted or not, so a length is sought first that is right in both ways.
    """
    near = max(1, length.target // 30)
    low, high = length.target - (0 if pool.mark else near), length.target + near
    chosen = pool.fit(low, high)
    if pool.mark and len(chosen) > 2 * near:  # many marks: the wish lies between the two ways of counting
        low, high = min(low + len(chosen) // 2, length.high - near), length.high
        chosen = pool.fit(low, high)
    return chosen if low <= pool.size(chosen) <= high else pool.fit(length.low, length.high)


def _with_a_part(pool: _Pool, length: Length, count: Count) -> list[SummaryStatement] | None:
    """Whole statements as far as they go, and the beginning of another; None where even so the length is missed."""
    chosen = set(pool.fit(length.low, length.low))
    while chosen and pool.size(chosen) + _ROOM > length.high:
        chosen.remove(min(chosen, key=lambda place: pool.candidates[place].worth))
    used = pool.size(chosen) + (pool.mark if chosen else pool.mark - pool.lead)
    others = sorted(set(pool.places) - chosen, key=lambda place: -pool.candidates[place].worth)
    statements = [pool.candidates[place].statement for place in others]
    found = begun(statements, length.low - used, length.high - used, count)
    if found is None:
        return None
    cut = others[found[0]]
    return [
        found[1] if place == cut else pool.candidates[place].statement for place in sorted(chosen | {cut})
    ]


def best(found: Sequence[Quotable], most: int) -> list[Quotable]:
    """Return the sentences of one document that are worth most, in reading order, their worth as the citation's score."""
    values = worths(found)
    places = sorted(range(len(found)), key=lambda place: -values[place])[:most]
    return [
        replace(found[place], citation=replace(found[place].citation, score=round(values[place], 4)))
        for place in sorted(places)
    ]


def _worth_trying(candidates: Sequence[Candidate], sizes: Sequence[int], length: Length) -> list[int]:
    """The places of the best candidates, in reading order: enough to fill the length several times, and some more."""
    ordered = sorted(range(len(candidates)), key=lambda place: -candidates[place].worth)
    enough, filled = 0, 0
    while enough < len(ordered) and (enough < _ITEMS or filled < 2 * length.high):
        filled += sizes[ordered[enough]]
        enough += 1
    return sorted(place for place in ordered[:enough] if sizes[place] > 0)


def _why_not(chosen: Sequence[int], candidates: Sequence[Candidate]) -> str:
    if not candidates:
        return NOTHING
    return TOO_SHORT if len(chosen) == len(candidates) else NOT_MET


def _interest(found: Quotable, form: Form) -> float:
    figures = form == "executive" and any(each.isdigit() for each in found.text)
    return _FIGURES if figures else 1.0


def _quotation(found: Quotable, worth: float) -> SummaryStatement:
    return SummaryStatement(found.text, (found.citation,), round(worth, 4))


def spread(documents: Sequence[Sequence[Quotable]], most: int) -> list[Quotable]:
    """Take the best sentences of many documents in turn, so that each has its say, at most so many."""
    ranked = [sorted(each, key=lambda found: -found.citation.score) for each in documents]
    taken: list[tuple[int, Quotable]] = []
    for turn in range(max(map(len, ranked), default=0)):
        taken += [(number, each[turn]) for number, each in enumerate(ranked) if turn < len(each)]
        if len(taken) >= most:
            break
    kept = sorted(taken[:most], key=lambda pair: (pair[0], pair[1].citation.start))
    return [each for _, each in kept]
