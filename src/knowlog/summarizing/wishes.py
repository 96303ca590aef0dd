"""What is wished, as it is kept and compared."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from knowlog.kernel.errors import Invalid
from knowlog.summarizing.model import LONGEST, SHORTEST, Length, Span, Wanted

METHOD = "lexrank-mmr-knapsack-1"
"""Names how sentences are chosen: what another method made is not reused."""
_LONGEST_TOPIC = 1_000


def checked(wanted: Wanted, *, has_model: bool) -> Wanted:
    """Return the wish, or raise Invalid with what is wrong with it."""
    if not SHORTEST <= wanted.length.target <= LONGEST:
        raise Invalid(
            f"A summary has {SHORTEST} to {LONGEST:,} {wanted.length.unit}. Wish for another length."
        )
    if wanted.mode == "generated" and not has_model:
        raise Invalid(
            "There is no language model to write summaries: ask with mode extractive, let an admin of your tenant entrust"
            " one (`knowlog language-model set`), or let the operator set KNOWLOG_LLM_MODEL."
        )
    if wanted.topic is not None and not wanted.topic.strip():
        raise Invalid("The topic is empty: name one, or leave it out.")
    if wanted.topic is not None and len(wanted.topic) > _LONGEST_TOPIC:
        raise Invalid(f"A topic has {_LONGEST_TOPIC:,} characters at most. Shorten it.")
    if wanted.document_id is not None and (wanted.topic or wanted.span != Span()):
        raise Invalid("A topic or a span of time is sought in a collection: leave document_id out.")
    span = wanted.span
    if span.since and span.until and span.since >= span.until:
        raise Invalid("The span of time ends before it begins: since must be before until.")
    return wanted


def profile_of(wanted: Wanted, made_with: Mapping[str, Any]) -> str:
    """A digest of all that decides what is written: the wish, and the models it is made with."""
    told = {**stored(wanted), "renewed": None, "method": METHOD, "made_with": dict(made_with)}
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()


def stored(wanted: Wanted) -> dict[str, Any]:
    """A wish as it is stored."""
    told: dict[str, Any] = orjson.loads(orjson.dumps(asdict(wanted), default=str))
    return told


def loaded(told: Mapping[str, Any]) -> Wanted:
    """The inverse of `stored`."""
    span = told["span"]
    return Wanted(
        UUID(told["collection_id"]),
        UUID(told["document_id"]) if told["document_id"] else None,
        told["topic"],
        Span(_moment(span["since"]), _moment(span["until"]), span["field"]),
        told["form"],
        Length(**told["length"]),
        told["mode"],
        told["renewed"],
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def as_text(moment: datetime | None) -> str | None:
    """A moment as it is compared with dates in metadata: a day where it is midnight."""
    if moment is None:
        return None
    whole = (moment.hour, moment.minute, moment.second, moment.microsecond) == (0, 0, 0, 0)
    return moment.strftime("%Y-%m-%d" if whole else "%Y-%m-%dT%H:%M:%S")
