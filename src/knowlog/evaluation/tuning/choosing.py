"""What is tried, what goes on to the next round, and what is recommended: pure functions."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import ceil
from typing import Any
from uuid import UUID, uuid5

from knowlog.chunking import LEAST_TOKENS, READ_BY, ChunkingProfile
from knowlog.evaluation.model import Figure
from knowlog.evaluation.statistics import Interval, bootstrap, paired
from knowlog.evaluation.tuning.model import Sought, Trial
from knowlog.kernel.errors import Invalid

DEARER = 1.1
"""A recommendation costs at most so much more to read than what there is."""
CHEAPER = 0.2
"""So much less to read is worth a change by itself."""
_LOST = 0.01
_UNSEEN = 3
"""Of so many questions that none was lost among n shows, at 95 %, no more than that fewer than 3 in n are (Hanley and
Lippman-Hand, 1983)."""
_USUAL = (100, 150, 200, 300)
_MOST_OVERLAP = 0.5
_MARKS = 2  # what models put before and after a text


def candidates(sought: Sought, present: Mapping[str, Any], window: int, seed: int) -> list[dict[str, Any]]:
    """Return the ways of cutting that are tried, the present one first; of more than are wanted, a draw by the seed.

    Raises Invalid for what no profile can have, such as a size above what the model reads at once.
    """
    _require_possible(sought, window - _MARKS)
    known = {_key(present): dict(present)}
    for fields in _grid(sought, window - _MARKS):
        settled = ChunkingProfile.read(fields, window).settled()
        known.setdefault(_key(settled), settled)
    first, *others = known.values()
    others.sort(key=lambda each: drawn(_key(each), seed))
    return [first, *others[: sought.configurations]]


def _require_possible(sought: Sought, most: int) -> None:
    """Raise Invalid for a size or an overlap of which no chunk can be, in the words of a tuning."""
    for size in sought.sizes:
        if not LEAST_TOKENS <= size <= most:
            raise Invalid(
                f"A size of {size} tokens cannot be tried: the embedding model reads {most} at once, and {LEAST_TOKENS}"
                f" are the least. Choose {LEAST_TOKENS} to {most} for each of `sizes` (--size)."
            )
    for overlap in sought.overlaps:
        if not 0 <= overlap < _MOST_OVERLAP:
            raise Invalid(
                f"An overlap of {overlap:g} cannot be tried: it is a share of a chunk, such as 0.12. Choose 0 or more,"
                f" and less than {_MOST_OVERLAP:g}, for each of `overlaps` (--overlap)."
            )


def _grid(sought: Sought, most: int) -> Iterator[dict[str, Any]]:
    """Every way of cutting. Where sizes were not chosen, usual ones, as far as the model reads them at once."""
    sizes = sought.sizes or sorted({min(size, most) for size in _USUAL})
    for strategy, size in product(sought.strategies, sizes):
        children = {"child_tokens": min(60, size)} if strategy == "parent_child" else {}
        for overlap in sought.overlaps if _overlaps(strategy) else (0.0,):
            yield {"strategy": strategy, "size_tokens": size, "overlap": overlap, **children}


def _key(chunking: Mapping[str, Any]) -> str:
    told = {
        name: value
        for name, value in chunking.items()
        if name != "overlap" or _overlaps(chunking.get("strategy"))
    }
    return json.dumps(told, sort_keys=True)


def _overlaps(strategy: Any) -> bool:
    return strategy in READ_BY["overlap"]


def index_of(tuning_id: UUID, chunking: Mapping[str, Any]) -> UUID:
    """The index in which a tuning tries a way of cutting: the same whoever goes on with it."""
    return uuid5(tuning_id, _key(chunking))


def drawn(name: str, seed: int) -> str:
    """By what names are ordered so that their order depends on the seed alone."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def judged(rows: Sequence[Trial], baseline: Trial) -> Trial:
    """Return by which of its numbers of passages a configuration is judged: the best that is not much dearer to read than
    what there is; where each is, the cheapest. So small chunks, many of them, compete with few large ones.
    """
    within = [each for each in rows if _is_affordable(each, baseline)]
    return max(within, key=_worth, default=min(rows, key=lambda each: each.context_tokens))


def survivors(trials: Sequence[Trial], least: int) -> list[Trial]:
    """Return the trials that go on: the first, which is what there is, and the better half of the others. Those that are
    much dearer to read than the first come last.
    """
    first, *others = trials
    others.sort(key=lambda each: (_is_affordable(each, first), *_worth(each)), reverse=True)
    return [first, *others[: max(least, ceil(len(others) / 2))]]


def with_pareto(trials: Sequence[Trial]) -> list[Trial]:
    """Mark what no other trial on all documents beats at the target without costing more tokens to read."""
    whole = [each for each in trials if each.whole]
    return [
        replace(each, pareto=each.whole and not any(_beats(other, each) for other in whole))
        for each in trials
    ]


def _beats(one: Trial, other: Trial) -> bool:
    no_worse = one.target.mean >= other.target.mean and one.context_tokens <= other.context_tokens
    differ = (one.target.mean, -one.context_tokens) != (other.target.mean, -other.context_tokens)
    fewer = one.number == other.number and one.k < other.k  # there are no more passages to be found
    return no_worse and (differ or fewer)


def best(trials: Sequence[Trial], baseline: Trial) -> Trial:
    """Return the trial on all documents that is best at the target, with whatever number of passages, of those that are
    not much dearer to read. More passages of the baseline's own are no choice: they never find less.
    """
    affordable = [
        each
        for each in trials
        if each.whole and _is_affordable(each, baseline) and not _is_only_longer(each, baseline)
    ]
    return max(affordable, key=_worth, default=baseline)


def cheapest(trials: Sequence[Trial], baseline: Trial, seed: int) -> Trial | None:
    """Return the trial on all documents with the least to read of those that find as much as the baseline, if any reads
    so much less that it is worth a change.
    """
    enough = [
        each
        for each in trials
        if each.whole
        and each.context_tokens <= (1 - CHEAPER) * baseline.context_tokens
        and difference(baseline, each, seed).mean >= 0
    ]
    return min(enough, key=lambda each: (each.context_tokens, -each.target.mean, each.number), default=None)


def _is_only_longer(trial: Trial, baseline: Trial) -> bool:
    return trial.number == baseline.number and trial.k > baseline.k


def _is_affordable(trial: Trial, baseline: Trial) -> bool:
    return trial.context_tokens <= DEARER * baseline.context_tokens


def _worth(trial: Trial) -> tuple[float, float, int]:
    """By what trials are ordered, the best last: the target, then what there is to read; of equals the first is best."""
    return trial.target.mean, -trial.context_tokens, -trial.number


def difference(first: Trial, second: Trial, seed: int) -> Interval:
    """By how much the second is better at the target, question by question, on the questions that both were asked."""
    return paired(
        [second.scores[each] - score for each, score in first.scores.items() if each in second.scores], seed
    )


def figure(values: Sequence[float], seed: int) -> Figure:
    """A mean with its interval; of no values, nothing."""
    if not values:
        return Figure(0.0, 0.0, 0.0, 0)
    found = bootstrap(values, seed)
    return Figure(round(found.mean, 6), round(found.low, 6), round(found.high, 6), found.count)


def finds_more(difference: Interval, dearer: float) -> tuple[bool, str]:
    """Say whether the best trial finds more, by questions on which nothing was chosen, and at what price."""
    told = f"{_told(difference)}, with {abs(dearer):.0%} {'more' if dearer > 0 else 'less'} to read"
    if difference.low > 0:
        return True, f"The best trial finds more: {told}."
    return False, f"Keep the present profile: that the best trial finds more is not shown ({told})."


def finds_as_much(difference: Interval, dearer: float) -> tuple[bool, str]:
    """Say whether a trial with less to read finds as much: whether more than one question in a hundred can be lost, also
    by what so few questions cannot show. Fewer passages never find more, and few questions often end alike.
    """
    least = min(difference.low, difference.mean - _UNSEEN / difference.count) if difference.count else -1.0
    told = f"{_told(difference)}, with {-dearer:.0%} less to read"
    if difference.mean >= 0 and least >= -_LOST:
        return True, f"The best trial finds as much: {told}."
    return False, f"Keep the present profile: that a trial finds as much is not shown ({told})."


def _told(difference: Interval) -> str:
    low, high = difference.low * 100, difference.high * 100
    return (
        f"{difference.mean * 100:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
        f", {difference.count} held-out questions"
    )
