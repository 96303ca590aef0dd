"""What speaks for and against a claim: plain checks, each of them a number.

`FEATURES` names them. None decides alone; `calibration` has learned from labelled answers how much each counts.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from knowlog.faithfulness.fields import Field
from knowlog.faithfulness.figures import figures, names
from knowlog.faithfulness.model import Claim
from knowlog.faithfulness.source import Source, Unit, neighbours, readable_lexemes
from knowlog.faithfulness.wording import is_negated, wording

FEATURES = (
    "length", "missing", "missing_share", "missing_in_question", "covered_1", "covered_2", "covered_4",
    "present_covered_1", "neighbours", "pairs_together", "figures", "figures_missing", "figures_apart",
    "names", "names_missing", "names_apart", "negated", "negation_lost", "negation_added", "hedges", "absolute",
    "praise", "about_source", "refusal", "quotes_missing", "is_item", "introduces", "is_first", "is_last", "place",
    "claims", "units", "field_true", "field_false", "field_unknown", "field_true_denied", "field_false_denied",
    "field_unknown_denied",
)  # fmt: skip

_CLAUSE = re.compile(r"[,;:—–]\s|\b(?:but|while|although|though|however|and|as well as)\b", re.I)
_ABOUT_THE_ANSWER = frozenset(
    """passag context text articl inform mention provid given base accord summari state document sourc refer also includ
    well addition overall howev addit sure here answer question""".split()  # noqa: SIM905 - a list of words reads better without quotes
)
"""Lexemes that speak of the answer or its source: no passage has to hold them."""
_NEAREST = 4
_TRUTH = {True: "true", False: "false", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Evidence:
    """The features of a claim, in the order of FEATURES; the unit it comes nearest to; what of it stands in no passage.

    `denied_fields` counts the fields of a record that it speaks of otherwise than the record does.
    """

    features: NDArray[np.float64]
    nearest: Unit | None
    missing_figures: tuple[str, ...]
    missing_names: tuple[str, ...]
    missing_lexemes: tuple[str, ...]
    denied_fields: int


@dataclass(frozen=True, slots=True)
class _Said:
    """A claim read: its lexemes in their order and as a set, and how much they tell together."""

    ordered: tuple[str, ...]
    lexemes: frozenset[str]
    source: Source

    def share(self, found: frozenset[str], of: frozenset[str] | None = None) -> float:
        """Which share of what the claim says (or of the part `of` it) is `found`, by how much each lexeme tells."""
        said = self.lexemes if of is None else self.lexemes & of
        total = sum(map(self.source.weight, said))
        return sum(map(self.source.weight, said & found)) / total if total else 0.0


def weigh(claim: Claim, place: tuple[int, int], source: Source, question: str) -> Evidence:
    """Return the evidence on one claim, which is the `place[0]`-th (from 0) of `place[1]`."""
    ordered = tuple(each for each in readable_lexemes(claim.text) if each not in _ABOUT_THE_ANSWER)
    said = _Said(ordered, frozenset(ordered), source)
    order = _nearest_first(said)
    nearest = source.units[order[0]] if order else None
    fields = _fields(claim.text, source.fields)
    told, lost = _figures(claim.text, said)
    named, unnamed = _names(claim.text, said)
    values = (
        _content(said, frozenset(readable_lexemes(question)))
        | _coverage(said, order)
        | told
        | named
        | wording(claim.text, source, nearest)
        | _standing(place, source)
        | fields
    )
    row = np.array([values[name] for name in FEATURES])
    denied = int(fields["field_false"] + fields["field_true_denied"] + fields["field_unknown"])
    return Evidence(row, nearest, lost, unnamed, tuple(sorted(said.lexemes - source.lexemes)), denied)


def _nearest_first(said: _Said) -> list[int]:
    """The units that have most in common with a claim, by telling words, best first."""
    scores = [said.share(unit.lexemes) for unit in said.source.units]
    return sorted(range(len(scores)), key=lambda each: -scores[each])[:_NEAREST]


def _content(said: _Said, asked: frozenset[str]) -> dict[str, float]:
    missing = said.lexemes - said.source.lexemes
    pairs = zip(said.ordered, said.ordered[1:], strict=False)
    return {
        "length": math.log1p(len(said.ordered)),
        "missing": len(missing),
        "missing_share": len(missing) / max(1, len(said.lexemes)),
        "missing_in_question": len(missing & asked),
        "neighbours": _share(pair in said.source.neighbours for pair in pairs),
        "pairs_together": _together(said),
    }


def _coverage(said: _Said, order: Sequence[int]) -> dict[str, float]:
    """Which share of a claim its nearest units cover: one, two and four of them together."""
    units = [said.source.units[each].lexemes for each in order]
    return {
        "covered_1": said.share(frozenset().union(*units[:1])),
        "covered_2": said.share(frozenset().union(*units[:2])),
        "covered_4": said.share(frozenset().union(*units[:4])),
        "present_covered_1": said.share(frozenset().union(*units[:1]), said.source.lexemes),
    }


def _together(said: _Said) -> float:
    """Which share of the claim's neighbouring lexemes, where the source has both, stand in one unit of it."""
    known = said.source.lexemes
    pairs = [{one, other} for one, other in neighbours(said.ordered) if one in known and other in known]
    return _share(any(pair <= unit.lexemes for unit in said.source.units) for pair in pairs)


def _figures(text: str, said: _Said) -> tuple[dict[str, float], tuple[str, ...]]:
    told = figures(text)
    lost = tuple(sorted(told - said.source.figures))
    homes = [[unit for unit in said.source.units if each in unit.figures] for each in told.difference(lost)]
    values = {"figures": len(told), "figures_missing": len(lost), "figures_apart": _apart(homes, said)}
    return values, lost


def _names(text: str, said: _Said) -> tuple[dict[str, float], tuple[str, ...]]:
    found = {name: frozenset(readable_lexemes(name)) - _ABOUT_THE_ANSWER for name in names(text)}
    named = {name: parts for name, parts in found.items() if parts}
    lost = tuple(sorted(name for name, parts in named.items() if not parts <= said.source.lexemes))
    kept = (parts for name, parts in named.items() if name not in lost)
    homes = [[unit for unit in said.source.units if parts <= unit.lexemes] for parts in kept]
    return {"names": len(named), "names_missing": len(lost), "names_apart": _apart(homes, said)}, lost


def _apart(homes: Iterable[Sequence[Unit]], said: _Said) -> float:
    """How little the claim has in common with the units in which a figure or name of it stands: the worst of them."""
    known = said.source.lexemes
    common = (max(said.share(unit.lexemes, known) for unit in units) for units in homes if units)
    return max((1 - each for each in common), default=0.0)


def _standing(place: tuple[int, int], source: Source) -> dict[str, float]:
    number, count = place
    return {
        "is_first": float(number == 0),
        "is_last": float(number == count - 1),
        "place": number / max(1, count - 1),
        "claims": math.log1p(count),
        "units": math.log1p(len(source.units)),
    }


def _fields(text: str, fields: Sequence[Field]) -> dict[str, float]:
    """How many fields of a record the clauses name, by what stands in them: affirmed, and denied."""
    found = {f"field_{value}{denied}": 0.0 for value in _TRUTH.values() for denied in ("", "_denied")}
    for clause in _CLAUSE.split(text) if fields else ():
        said = frozenset(readable_lexemes(clause))
        denied = "_denied" if is_negated(clause) else ""
        for field in fields:
            found[f"field_{_TRUTH[field.value]}{denied}"] += field.lexemes <= said
    return found


def _share(found: Iterable[bool]) -> float:
    held = list(found)
    return sum(held) / len(held) if held else 1.0
