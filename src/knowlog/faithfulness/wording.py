"""How a claim is worded: what can be read off it without knowing what it is about."""

import re

from knowlog.faithfulness.source import Source, Unit

_NEGATION = re.compile(
    r"\b(?:not?|never|none|nor|neither|without|cannot|lacks?|lacking|unavailable|unable)\b|n['’]t\b", re.I
)
_HEDGE = re.compile(
    r"\b(?:may|might|could|would|likely|possibl[ey]|perhaps|seems?|appears?|suggest\w*|probably|generally|"
    r"typically|usually|often|some|various|such as)\b",
    re.I,
)
_ABSOLUTE = re.compile(
    r"\b(?:all|every|always|never|only|most|best|must|any|entire|daily|seven days)\b", re.I
)
_PRAISE = re.compile(
    r"\b(?:overall|popular|known for|perfect|ideal|great|excellent|cozy|friendly|welcoming|unique|wide|variety|"
    r"recommend\w*|enjoy\w*|remains?|highlight\w*|importan\w+|significan\w+|addition\w*|ensur\w+|aim\w*)\b",
    re.I,
)
_ABOUT_SOURCE = re.compile(
    r"\b(?:passages?|context|text|article|information|data|source|reviews?|documents?)\b", re.I
)
_REFUSAL = re.compile(
    r"\b(?:(?:do|does|did) not|n['’]t|no|not|cannot|unable to)\b[^.]{0,60}"
    r"\b(?:mention|provide|specif\w+|contain|include|answer|information|state|determine|clear)\w*",
    re.I,
)
_QUOTED = re.compile(r"[\"“]([^\"”]{3,200})[\"”]")
_ITEM = re.compile(r"\s*(?:[-*•]|\d{1,2}[.)])\s")


def is_negated(text: str) -> bool:
    """Whether a text denies something, in English."""
    return bool(_NEGATION.search(text))


def wording(text: str, source: Source, nearest: Unit | None) -> dict[str, float]:
    """Return what the wording of a claim tells, some of it compared with the unit that it comes nearest to."""
    negated = is_negated(text)
    denied_there = nearest is not None and is_negated(nearest.basis.quote)
    return {
        "negated": float(negated),
        "negation_lost": float(denied_there and not negated),
        "negation_added": float(negated and not denied_there),
        "hedges": len(_HEDGE.findall(text)),
        "absolute": len(_ABSOLUTE.findall(text)),
        "praise": len(_PRAISE.findall(text)),
        "about_source": float(bool(_ABOUT_SOURCE.search(text))),
        "refusal": float(bool(_REFUSAL.search(text))),
        "quotes_missing": sum(_bare(each) not in source.text for each in _QUOTED.findall(text)),
        "is_item": float(bool(_ITEM.match(text))),
        "introduces": float(text.rstrip().endswith(":")),
    }


def _bare(quoted: str) -> str:
    return " ".join(quoted.lower().split()).strip(".,!? ")
