"""What is tried, what goes on to the next round, and what is recommended: pure functions."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import ceil
from typing import Any
from uuid import UUID, uuid5

from knowlog.chunking import ChunkingProfile
from knowlog.evaluation.model import Figure
from knowlog.evaluation.statistics import Interval, bootstrap, paired
from knowlog.evaluation.tuning.model import Sought, Trial

DEARER = 1.25
"""A recommendation costs at most so much more to read than what there is."""
_OVERLAPPING = ("recursive", "sliding_window", "sentence")
_USUAL = (100, 150, 200, 300)
_MARKS = 2  # what models put before and after a text


def candidates(sought: Sought, present: Mapping[str, Any], window: int, seed: int) -> list[dict[str, Any]]:
    """Return the ways of cutting that are tried, the present one first; of more than are wanted, a draw by the seed.

    Raises Invalid for what no profile can have, such as a size above what the model reads at once.
    """
    known = {_key(present): dict(present)}
    for fields in _grid(sought, window - _MARKS):
        settled = ChunkingProfile.read(fields, window).settled()
        known.setdefault(_key(settled), settled)
    first, *others = known.values()
    others.sort(key=lambda each: drawn(_key(each), seed))
    return [first, *others[: sought.configurations]]


def _grid(sought: Sought, most: int) -> Iterator[dict[str, Any]]:
    """Every way of cutting. Where sizes were not chosen, usual ones, as far as the model reads them at once."""
    sizes = sought.sizes or sorted({min(size, most) for size in _USUAL})
    for strategy, size in product(sought.strategies, sizes):
        children = {"child_tokens": min(60, size)} if strategy == "parent_child" else {}
        for overlap in sought.overlaps if strategy in _OVERLAPPING else (0.0,):
            yield {"strategy": strategy, "size_tokens": size, "overlap": overlap, **children}


def _key(chunking: Mapping[str, Any]) -> str:
    told = {name: value for name, value in chunking.items() if name != "overlap" or _overlaps(chunking)}
    return json.dumps(told, sort_keys=True)


def _overlaps(chunking: Mapping[str, Any]) -> bool:
    return chunking.get("strategy") in _OVERLAPPING


def index_of(tuning_id: UUID, chunking: Mapping[str, Any]) -> UUID:
    """The index in which a tuning tries a way of cutting: the same whoever goes on with it."""
    return uuid5(tuning_id, _key(chunking))


def drawn(name: str, seed: int) -> str:
    """By what names are ordered so that their order depends on the seed alone."""
    return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()


def survivors(trials: Sequence[Trial], least: int) -> list[Trial]:
    """Return the trials that go on: the first, which is what there is, and the better half of the others."""
    first, *others = trials
    others.sort(key=lambda each: (-each.target.mean, each.context_tokens, each.number))
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
    return no_worse and (one.target.mean, -one.context_tokens) != (other.target.mean, -other.context_tokens)


def best(trials: Sequence[Trial], baseline: Trial) -> Trial:
    """Return the trial on all documents that is best at the target, of those that are not much dearer to read."""
    affordable = [
        each for each in trials
        if each.whole and each.k == baseline.k and each.context_tokens <= DEARER * baseline.context_tokens
    ]  # fmt: skip
    return max(
        affordable, key=lambda each: (each.target.mean, -each.context_tokens, -each.number), default=baseline
    )


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


def verdict(difference: Interval, cheaper: float) -> tuple[bool, str]:
    """Say whether to change, and why: by questions on which nothing was chosen.

    A better target is reason enough; so is a fifth less to read, where the target may be worse by a point at most.
    """
    low, high = difference.low * 100, difference.high * 100
    told = f"{difference.mean * 100:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f}"
    told += f", {difference.count} held-out questions"
    if difference.low > 0:
        return True, f"The best trial finds more: {told}."
    if cheaper >= 0.2 and difference.mean >= 0 and difference.low > -0.01:
        return True, f"The best trial finds as much ({told}) with {cheaper:.0%} less to read."
    return False, f"Keep the present profile: that the best trial finds more is not shown ({told})."
