"""The ladder of summaries: a language model, a second one, quotations. Each rung is taken when the one above it fails."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

from knowlog.answering import Rung
from knowlog.answering import Statement as Verified
from knowlog.faithfulness import Judge
from knowlog.kernel.errors import KnowlogError, LimitReached
from knowlog.llm import Account, Provider
from knowlog.summarizing.extractive import Candidate, composed, extract
from knowlog.summarizing.model import Content, Count, Form, Length, Quotable, SummaryStatement
from knowlog.summarizing.ranking import worths
from knowlog.summarizing.written import Metered, Writer, write

_LOG = logging.getLogger("knowlog.summarizing")
_RUNGS: tuple[Rung, ...] = ("generated", "generated_by_second")
_QUOTED = 0.05
"""What a quotation is worth beside statements that were written: it only fills what they leave of the length."""

_FELL = (
    "The language model did not answer in time or not as it should, so this summary is made of quotations."
)
_NONE = "There is no language model to write it any more, so this summary is made of quotations."
_SPENT = "The limit of language models is reached, so this summary is made of quotations. {}"
_UNSUPPORTED = "Nothing that the language model wrote is supported, so this summary is made of quotations."
_SECOND = "The first language model did not answer, so the second did."
"""Or a third: a tenant's own stands before those of the operator."""
_FILLED = "What was written was shorter than wished; quotations fill the rest."


@dataclass(frozen=True, slots=True)
class Task:
    """What a summary is made of, and what is wished of it. `relevance` to the topic, where there is one."""

    found: Sequence[Quotable]
    length: Length
    form: Form
    count: Count
    topic: str | None = None
    relevance: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Writing:
    """What a summary is written with: the models in the order in which they are asked, who judges, and who pays."""

    providers: Sequence[Provider]
    judge: Judge
    account: Account
    max_tokens: int


def summarize_by_quoting(task: Task) -> Content:
    """Summarize by quotations, which need no model."""
    return extract(task.found, task.length, task.form, task.count, task.relevance)


async def summarize_by_ladder(task: Task, writing: Writing) -> Content:
    """Summarize with the first model that can, else by quotations. It tells its rung, and why it is not the first."""
    note, metered = _FELL if writing.providers else _NONE, Metered(writing.account)
    for place, provider in enumerate(writing.providers):
        writer = Writer(
            provider, writing.judge, metered, writing.max_tokens, task.length, task.form, task.topic
        )
        try:
            written, plan = await write(task.found, writer)
        except KnowlogError as error:
            _LOG.info("a summary was not written: %s", error.detail)
            if isinstance(error, LimitReached) and "limit" in error.extra:
                note = _SPENT.format(error.detail)
                break
            continue
        if written:
            return _told(_completed(written, task), place, plan, metered.tokens)
        note = _UNSUPPORTED
        break
    quoted = summarize_by_quoting(task)
    degraded = ("llm",) if note != _UNSUPPORTED else ()
    return replace(quoted, degraded=degraded, notes=(*quoted.notes, note), llm_tokens=metered.tokens)


def _completed(written: Sequence[Verified], task: Task) -> Content:
    """The statements written, as many as there is room for; quotations fill what they leave."""
    values = worths(task.found, task.relevance)
    candidates = [
        Candidate(SummaryStatement(each.text, each.citations, each.score, written=True), 1 - place / 1000)
        for place, each in enumerate(written)
    ] + [
        Candidate(SummaryStatement(each.text, (each.citation,), round(value, 4)), value * _QUOTED)
        for each, value in zip(task.found, values, strict=True)
    ]
    return composed(candidates, task.length, task.form, task.count)


def _told(content: Content, place: int, plan: str, tokens: int) -> Content:
    filled = any(not each.written for each in content.statements)
    notes = (
        *content.notes,
        *((_SECOND,) if place else ()),
        *((_FILLED,) if filled and content.within else ()),
    )
    degraded = ("llm",) if place else ()
    return replace(
        content, rung=_RUNGS[min(place, 1)], plan=plan, llm_tokens=tokens, degraded=degraded, notes=notes
    )
