"""Answers: a question to statements, each with the exact quotes that it rests on."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from knowlog.answering import (
    STANDING,
    Answer,
    Done,
    PassagesFound,
    Rung,
    Statement,
    StatementFound,
    Writing,
    answer_by_ladder,
    as_events,
    compose,
    with_leads,
)
from knowlog.api.dependencies import AsReader, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.api.questions import (
    Asked,
    FoundPassage,
    QuotedPlace,
    citation_json,
    look_up,
    mode_of,
    passages_json,
    record_read,
)
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.documents import Span, cells_of, count_waiting
from knowlog.edge import (
    STREAM_HEADERS,
    STREAM_TYPE,
    Leave,
    Metrics,
    Slots,
    Visit,
    as_error,
    credential_of,
    event,
    problem_document,
    visit_of,
)
from knowlog.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from knowlog.kernel.wording import counted
from knowlog.llm import TenantAccount
from knowlog.retrieval import Retrieved
from knowlog.tenants import authenticate
from knowlog.threads import Made, add_turn, history_of

router = APIRouter(prefix="/v1/answers", tags=["answers"], route_class=Route, responses=problems(404, 429))

_BY_WORDS = "The model did not answer, so the sentences of the answer were chosen by words alone."
_NOT_STORED = (
    "The answer was not stored: the thread was deleted or filled meanwhile, or the database did not answer."
)
_MOST_COUNTED = 1000
"""Of documents that wait, so many are counted: more are not worth the time."""
_LOOKED_AT = 5
"""Whether a question could be asked next is sought in so many passages."""
_SURE = 0.5
"""What is proposed has to be answered more likely than not: nobody has asked it yet."""


class AnswerAsked(Asked):
    """A question to be answered."""

    mode: Literal["extractive", "generated"] | None = Field(
        None,
        description="How: by quotations alone, or by a language model whose every statement is verified and cited."
        " Null: as the operator has set it.",
    )
    thread_id: UUID | None = Field(
        None,
        description="A thread of yours that this question goes on with: it is understood after those before it, and"
        " stored there with its answer. `POST /v1/threads` begins one.",
    )


class AnswerStatement(Body):
    """One sentence of the answer, and the quotes that it rests on, best first.

    `answers`: it is part of the answer's text; else it only stands near the question, to be shown apart.
    """

    text: str
    citations: list[QuotedPlace]
    score: float
    answers: bool


class Contradicted(Body):
    """Two sentences of different documents that say the same of one thing, but for what they differ in: at most one is
    right. Nothing is judged.
    """

    differ_in: Literal["figure", "negation"]
    sides: list[QuotedPlace]


class AnswerBody(Body):
    """What the documents say. An answer that abstains has no statements, and offers the nearest passages.

    `confidence` is the probability, 0 to 1, that the documents hold the answer. `rung` says how the answer was made:
    where a language model was wanted and failed, a second one or quotations stand in for it, and `notes` say so.
    """

    answer_id: str | None = Field(
        description="To say what you think of it: `POST /v1/answers/{answer_id}/feedback`. Null where the tenant does "
        "not have its questions kept. It is worth nothing to others."
    )
    question: str
    standalone: str | None = Field(
        description="The question as it was understood after those before it. Null: as it was asked."
    )
    thread_id: UUID | None
    turn: int | None = Field(description="Its number in the thread, from 1. Null: it was not stored.")
    status: Literal["answered", "not_in_documents"]
    text: str
    statements: list[AnswerStatement]
    confidence: float
    contradictions: list[Contradicted] = Field(
        description="Between documents that fit the question, each with both sides. Few and sure, rather than all."
    )
    follow_ups: list[str] = Field(description="Questions that the documents answer, to be asked next.")
    follow_ups_rung: Rung = Field(
        description="Who wrote these: a language model, or nobody (`extractive`): they are made of what was found."
    )
    unsupported: list[str] = Field(
        description="What a language model said that the documents do not support: no part of the answer, and empty"
        " unless the operator wants it shown (`KNOWLOG_LLM_UNSUPPORTED`)."
    )
    nearest: list[FoundPassage]
    rung: Rung
    degraded: list[str] = Field(
        description="What had to be left out, because it does not answer: a leg of the search, the language model."
    )
    notes: list[str] = Field(description="What that means, in sentences for a person.")
    pattern: str = Field(description="The way in which the passages were found.")
    took_ms: float


@router.post(
    "",
    response_model=AnswerBody,
    responses={200: {"content": {STREAM_TYPE: {}}, "description": "The answer."}},
    summary="Answer a question with citations",
)
async def answer(
    body: AnswerAsked,
    request: Request,
    caller: AsReader,
    app: TheApp,
    accept: Annotated[str, Header(description="text/event-stream to see the answer come to be.")] = "*/*",
) -> Response:
    """Answer a question by exact quotations, or by verified statements, or say that the documents do not.

    Example: `{"question": "How long does the warranty last?", "collections": ["handbook"]}`.

    With `Accept: text/event-stream`: events `passages`, `statement` (each), `done` (the whole answer), or
    `error`.
    """
    started = perf_counter()
    visit_of(request.scope).question = True
    slots: Slots = request.app.state.slots
    streamed = STREAM_TYPE in accept.lower()
    if streamed:
        slots.check(caller.scope.tenant_id)
    if body.mode:
        await mode_of(app, caller.scope, body.mode)
    found = await look_up(app, caller.scope, body, None, await _history(app, caller.scope, body))
    request.app.state.metrics.searched(found.pattern, perf_counter() - started, found.calls)
    await record_read(app, caller.scope, "answer.asked", len(found.passages))
    if not streamed:
        made = await _made(app, caller.scope, body, found)
        return reply(await _ended(app, request.app.state.metrics, caller.scope, body, found, made, started))
    visit_of(request.scope).goes_on = True
    events = _events(app, body, found, started, request, caller.scope)
    return StreamingResponse(
        slots.hold(caller.scope.tenant_id, events), headers=STREAM_HEADERS, media_type=STREAM_TYPE
    )


async def _events(
    app: App, asked: AnswerAsked, found: Retrieved, started: float, request: Request, scope: Scope
) -> AsyncIterator[bytes]:
    """Write the answer as it comes to be. No database session is held while the client reads.

    A client that takes its time must still have its key: after a second, that is looked up again.
    """
    leave = Leave(lambda: authenticate(app.database, credential_of(request)))
    making = asyncio.create_task(_made(app, scope, asked, found))
    making.add_done_callback(partial(_end_turn, visit_of(request.scope)))
    try:
        async for happened in as_events(found.question, found.passages, lambda: asyncio.shield(making)):
            yield b""  # waits until the client has taken what was sent
            await leave.renew()
            if isinstance(happened, Done):
                metrics: Metrics = request.app.state.metrics
                ended = await _ended(app, metrics, scope, asked, found, happened.answer, started)
                yield event("done", ended)
            else:
                yield _event(app, happened)
    except Exception as caught:
        yield event("error", problem_document(as_error(caught), visit_of(request.scope).request_id))
    finally:
        making.cancel()


def _end_turn(visit: Visit, making: "asyncio.Task[Answer]") -> None:
    """The answer is made, however long its reader takes from here on; or it will not be."""
    failed = making.cancelled() or making.exception() is not None
    if visit.turn is not None and failed:
        visit.turn.leave()
    elif visit.turn is not None:
        visit.turn.end()


async def _made(app: App, scope: Scope, asked: AnswerAsked, found: Retrieved) -> Answer:
    """Make the answer, in the mode that is wanted or on a lower rung, and say where in sheets its quotes stand."""
    return await _with_cells(app, scope, await _composed(app, scope, asked, found))


async def _with_cells(app: App, scope: Scope, made: Answer) -> Answer:
    """The answer, its quotes from tables with their cells."""
    spans = [
        (each.document_id, each.version, each.start, each.end)
        for said in made.statements
        for each in said.citations
        if "|" in each.quote
    ]
    if not spans:
        return made
    async with app.database.transaction(scope) as connection:
        cells = dict(zip(spans, await cells_of(connection, spans), strict=True))
    return replace(made, statements=tuple(_in_cells(each, cells) for each in made.statements))


def _in_cells(statement: Statement, cells: Mapping[Span, str | None]) -> Statement:
    citations = tuple(
        replace(each, cells=cells.get((each.document_id, each.version, each.start, each.end)))
        for each in statement.citations
    )
    return replace(statement, citations=citations)


async def _composed(app: App, scope: Scope, asked: AnswerAsked, found: Retrieved) -> Answer:
    """Make the answer by the ladder, or by quotations alone."""

    async def quote() -> Answer:
        passages = await with_leads(app.database, scope, found.passages)
        return await compose(
            found.question, passages, found.model or app.embedder, statistics=found.statistics
        )

    llm = app.settings.llm
    wanted = (asked.mode or llm.answers) == "generated"
    providers = await app.providers_of(scope) if wanted else ()
    if not providers:
        STANDING["extractive"] += 1
        return await quote()
    account = TenantAccount(app.database, app.limiter, scope)
    is_answered = partial(_is_answered, app, scope, asked)
    writing = Writing(providers, app.judge, account, llm.max_tokens, is_answered, llm.unsupported)
    try:
        return await answer_by_ladder(found.question, found.passages, writing, quote)
    finally:
        await account.settle()


async def _is_answered(app: App, scope: Scope, asked: Asked, question: str) -> bool:
    """Whether a question would be answered, were it the caller's next one in the same place."""
    update = {"question": question, "pattern": "hybrid", "history": []}
    found = await look_up(app, scope, asked.model_copy(update=update), _LOOKED_AT)
    model = found.model or app.embedder
    made = await compose(question, found.passages, model, statistics=found.statistics, least_confidence=_SURE)
    return made.status == "answered"


async def _keep(app: App, scope: Scope, asked: Asked, found: Retrieved, made: Answer) -> str | None:
    """Keep the question, where the tenant wants that: under the one collection named, or that of the best passage. An
    answer is worth more than its record: it is given without an id where that cannot be kept just now.
    """
    named = asked.collections or []
    if len(named) != 1:
        named = [each.collection for each in found.passages[:1]]
    with suppress(Unavailable):
        return await app.questions.keep(scope, named[0], made) if named else None
    return None


async def _history(app: App, scope: Scope, asked: AnswerAsked) -> tuple[str, ...]:
    """The questions before this one. Raises NotFound for a thread of somebody else, Conflict for one that is full."""
    if asked.thread_id is None:
        return ()
    if asked.history:
        raise Invalid("A thread knows its questions: leave history out, or thread_id.")
    async with app.database.transaction(scope) as connection:
        return await history_of(connection, scope, asked.thread_id)


async def _ended(
    app: App,
    metrics: Metrics,
    scope: Scope,
    asked: AnswerAsked,
    found: Retrieved,
    made: Answer,
    started: float,
) -> dict[str, Any]:
    """Keep and store what was asked, where that is wanted, and render the answer."""
    answer_id = await _keep(app, scope, asked, found, made)
    told = _told(made, found)
    if not made.statements:
        told["notes"] = (*told["notes"], *await _waiting(app, scope, asked))
    standalone = None if made.question == asked.question.strip() else made.question
    turn = None
    if asked.thread_id:
        stored = Made(asked.question, standalone, made, found.pattern, **told)
        turn = await _stored(app, scope, asked.thread_id, stored)
        metrics.turn_ended(stored=turn is not None)
        told["notes"] = (*told["notes"], *(() if turn else (_NOT_STORED,)))
    return {
        "answer_id": answer_id,
        "question": asked.question,
        "standalone": standalone,
        "thread_id": asked.thread_id,
        "turn": turn,
        "status": made.status,
        "text": made.text,
        "statements": [statement_json(app, statement) for statement in made.statements],
        "confidence": made.confidence,
        "contradictions": [
            {"differ_in": each.differ_in, "sides": [citation_json(app, side) for side in each.sides]}
            for each in made.contradictions
        ],
        "follow_ups": made.follow_ups,
        "follow_ups_rung": made.follow_ups_rung,
        "unsupported": made.unsupported,
        "nearest": passages_json(app, made.nearest, explain=False),
        "rung": made.rung,
        **told,
        "pattern": found.pattern,
        "took_ms": round((perf_counter() - started) * 1000, 3),
    }


async def _waiting(app: App, scope: Scope, asked: Asked) -> tuple[str, ...]:
    """What an abstention has to say of documents that could not be looked at yet. It is given without, if need be."""
    count = 0
    with suppress(NotFound, Unavailable):
        async with app.database.transaction(scope) as connection:
            count = await count_waiting(connection, scope, asked.collections, _MOST_COUNTED)
    if not count:
        return ()
    are, were = ("is", "was") if count == 1 else ("are", "were")
    more = " or more" if count == _MOST_COUNTED else ""
    return (
        f"{counted(count, 'document')}{more} {are} still being indexed and {were} not looked at. Ask again in a moment.",
    )


async def _stored(app: App, scope: Scope, thread_id: UUID, made: Made) -> int | None:
    """Store a turn, in a transaction of its own. An answer is worth more than its record: None where that cannot be."""
    with suppress(Conflict, NotFound, Unavailable):
        async with app.database.transaction(scope) as connection:
            return await add_turn(connection, scope, thread_id, made)
    return None


def _told(made: Answer, found: Retrieved) -> dict[str, tuple[str, ...]]:
    """What had to be left out, and what that means."""
    return {
        "degraded": (*(found.degraded or (("dense",) if made.by_words_alone else ())), *made.degraded),
        "notes": (
            *found.notes,
            *((_BY_WORDS,) if made.by_words_alone and not found.degraded else ()),
            *made.notes,
        ),
    }


def _event(app: App, happened: PassagesFound | StatementFound) -> bytes:
    if isinstance(happened, PassagesFound):
        return event("passages", {"passages": passages_json(app, happened.passages, explain=False)})
    return event("statement", {"number": happened.number, **statement_json(app, happened.statement)})


def statement_json(app: App, statement: Statement) -> dict[str, Any]:
    """Render a statement."""
    citations = [citation_json(app, citation) for citation in statement.citations]
    return {
        "text": statement.text,
        "citations": citations,
        "score": statement.score,
        "answers": statement.answers,
    }
