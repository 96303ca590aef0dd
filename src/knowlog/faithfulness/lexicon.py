"""What it tells that a word of a claim stands in no passage: some are said of anything, others are invented.

"Overall" and "located" are seldom wrong; "parking" and "recently" often are. The lexicon holds, for each lexeme that was
seen often enough, by how much its absence from the passages raises the log-odds that the claim is not supported.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEXICON_FEATURES = ("invented_sum", "invented_most", "invented_least", "invented_count")
LEAST_SEEN = 8
"""A lexeme that was missing in fewer claims is not kept."""
_DOUBT = 20.0
"""Claims' worth of belief that a lexeme tells no more than any other."""
_TELLING = 0.3
_KEPT = 0.05


def learn(claims: Sequence[tuple[str, ...]], labels: NDArray[np.bool_]) -> dict[str, float]:
    """Learn from the missing lexemes of claims, and whether each claim is unsupported."""
    seen: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for missing, label in zip(claims, labels, strict=True):
        seen.update(missing)
        if label:
            wrong.update(missing)
    usual = (wrong.total() + 1) / (seen.total() + 2)
    found = {
        lexeme: _log_odds((wrong[lexeme] + _DOUBT * usual) / (count + _DOUBT)) - _log_odds(usual)
        for lexeme, count in sorted(seen.items())
        if count >= LEAST_SEEN
    }
    return {lexeme: round(weight, 2) for lexeme, weight in found.items() if abs(weight) >= _KEPT}


def look_up(lexicon: Mapping[str, float], claims: Iterable[tuple[str, ...]]) -> NDArray[np.float64]:
    """Return a row of LEXICON_FEATURES for the missing lexemes of each claim."""
    rows = [[lexicon[each] for each in missing if each in lexicon] for missing in claims]
    return np.array(
        [[sum(row), max(row, default=0.0), min(row, default=0.0), sum(each > _TELLING for each in row)] for row in rows],
        float,
    ).reshape(-1, len(LEXICON_FEATURES))  # fmt: skip


def _log_odds(share: float) -> float:
    return math.log(share / (1 - share))
