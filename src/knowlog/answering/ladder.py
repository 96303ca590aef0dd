"""The ladder of answers: a language model, a second one, quotations. Each rung is taken when the one above it fails.

Quotations need no model, and some time is kept for them: whatever happens above, a question is answered by its deadline.
"""

import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from knowlog.answering.actions import besides
from knowlog.answering.generated import Generated, generate
from knowlog.answering.model import Answer, AnswerEvent, Done, PassagesFound, Rung, Statement, StatementFound
from knowlog.answering.proposals import IsAnswered, answered
from knowlog.answering.question import valid_question
from knowlog.faithfulness import Judge
from knowlog.kernel.errors import KnowlogError, LimitReached
from knowlog.llm import Account, Provider
from knowlog.resilience import remaining_s, within
from knowlog.retrieval import Passage

_LOG = logging.getLogger("knowlog.answering")
_RUNGS: tuple[Rung, ...] = ("generated", "generated_by_second")
_KEPT_S, _KEPT_SHARE = 3.0, 0.3
"""So much of the time that is left is kept for quotations: the lesser of the two."""
STANDING: Counter[str] = Counter()
"""How often an answer of this process stood on which rung."""

_FELL = "The language model did not answer in time or not as it should, so this answer is made of quotations."
_SPENT = "The limit of language models is reached, so this answer is made of quotations. {}"
_UNSUPPORTED = "Nothing that the language model wrote is supported by the passages, so this answer is made of quotations."
_SECOND = "The first language model did not answer, so the second did."
"""Or a third: a tenant's own stands before those of the operator."""


@dataclass(frozen=True, slots=True)
class Writing:
    """What an answer is written with: the models in the order in which they are asked, who judges, who pays, what tells
    whether a question that a model proposes is answered, and what becomes of what is not supported.
    """

    providers: Sequence[Provider]
    judge: Judge
    account: Account
    max_tokens: int
    is_answered: IsAnswered
    unsupported: Literal["drop", "mark"] = "drop"

    def marked(self, made: Generated) -> tuple[str, ...]:
        """What is not supported and shown nevertheless."""
        return made.unsupported if self.unsupported == "mark" else ()


async def answer_by_ladder(
    question: str, passages: Sequence[Passage], writing: Writing, quote: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Answer with the first model that can, else by `quote`. The answer tells its rung, and why it is not the first.

    Raises what `quote` raises, and Invalid for a question that cannot be asked.
    """
    started, asked, note = perf_counter(), valid_question(question), _FELL
    marked: tuple[str, ...] = ()
    for place, provider in enumerate(writing.providers):
        try:
            with within(_share(len(writing.providers) - place)):
                made = await generate(
                    asked, passages, provider, writing.judge, writing.account, writing.max_tokens
                )
        except KnowlogError as error:
            _LOG.info("an answer was not written: %s", error.detail)
            if isinstance(error, LimitReached) and "limit" in error.extra:
                note = _SPENT.format(error.detail)
                break
            continue
        if made.statements:
            written = _written(asked, made.statements, _RUNGS[min(place, 1)], started)
            return _standing(await _with_besides(written, made, passages, writing))
        note, marked = _UNSUPPORTED, writing.marked(made)
        break
    quoted = await quote()
    degraded = ("llm",) if note != _UNSUPPORTED else ()
    notes = (*quoted.notes, note)
    return _standing(replace(quoted, degraded=(*quoted.degraded, *degraded), notes=notes, unsupported=marked))


async def as_events(
    question: str, passages: Sequence[Passage], answer: Callable[[], Awaitable[Answer]]
) -> AsyncIterator[AnswerEvent]:
    """Yield an answer as it comes to be: the passages, each statement, and last the whole answer. Raises as it does."""
    valid_question(question)
    yield PassagesFound(tuple(passages))
    made = await answer()
    for number, statement in enumerate(made.statements, start=1):
        yield StatementFound(number, statement)
    yield Done(made)


def _share(rungs: int) -> float | None:
    """The seconds that the next of so many models may take; None without a deadline."""
    left_s = remaining_s()
    return None if left_s is None else (left_s - min(_KEPT_S, _KEPT_SHARE * left_s)) / rungs


def _written(question: str, statements: tuple[Statement, ...], rung: Rung, started: float) -> Answer:
    return Answer(
        question=question,
        status="answered",
        text=" ".join(statement.text for statement in statements),
        statements=statements,
        confidence=min(statement.score for statement in statements),
        took_ms=(perf_counter() - started) * 1000,
        rung=rung,
        degraded=() if rung == _RUNGS[0] else ("llm",),
        notes=() if rung == _RUNGS[0] else (_SECOND,),
    )


async def _with_besides(
    written: Answer, made: Generated, passages: Sequence[Passage], writing: Writing
) -> Answer:
    """The answer with what there is to say besides it; what to ask next as the model proposes, else as without one."""
    more = besides(written.question, passages, made.statements)
    proposed = await answered(made.proposed, written.question, made.statements, writing.is_answered)
    return replace(
        written,
        contradictions=more.contradictions,
        follow_ups=proposed or more.follow_ups,
        follow_ups_rung=written.rung if proposed else "extractive",
        unsupported=writing.marked(made),
    )


def _standing(answer: Answer) -> Answer:
    STANDING[answer.rung] += 1
    return answer
