"""Questions that a language model proposes to ask next: one is shown only if the documents answer it.

The model has read passages that anybody may have written, so a proposal is believed no more than a statement: it is plain
words that lead nowhere and give no orders, and it has been answered for this caller, within a bounded time. Where that
fails, nothing is said of it: what to ask next is made of what was found, as without a model.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from knowlog.answering.follow_ups import MOST, harmless
from knowlog.answering.model import Statement
from knowlog.kernel.errors import KnowlogError
from knowlog.resilience import remaining_s, time_limit
from knowlog.retrieval import is_flagged
from knowlog.stores import lexemes

IsAnswered = Callable[[str], Awaitable[bool]]
"""Whether the documents that the caller may see answer a question."""

MOST_TRIED = 5
_LONGEST = 200
_LOOKING_S = 3.0
"""So long proposals are looked at, or half of what is left of the deadline."""
_ENDS = ("?", "\uff1f", "\u061f")


async def answered(
    proposed: Sequence[str], question: str, statements: Sequence[Statement], is_answered: IsAnswered
) -> tuple[str, ...]:
    """Return at most three of the proposed questions: new ones that the documents answer."""
    told = set(lexemes(" ".join([question, *(each.text for each in statements)])))
    found: list[str] = []
    with suppress(KnowlogError):
        async with time_limit(_time_s(), "The search for questions to ask next"):
            for text in _askable(proposed):
                says = set(lexemes(text))
                if len(found) < MOST and not says <= told and await is_answered(text):
                    found.append(text)
                    told |= says
    return tuple(found)


def _askable(proposed: Sequence[str]) -> list[str]:
    """Those that are questions and harmless, on one line each."""
    lines = [" ".join(each[: 2 * _LONGEST].split()) for each in proposed[:MOST_TRIED]]
    return [
        each
        for each in lines
        if each.endswith(_ENDS) and len(each) <= _LONGEST and harmless(each) and not is_flagged(each)
    ]


def _time_s() -> float:
    left_s = remaining_s()
    return _LOOKING_S if left_s is None else min(_LOOKING_S, left_s / 2)
