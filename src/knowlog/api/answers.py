"""Answers: a question to statements, each with the exact quotes that it rests on."""

from collections.abc import AsyncIterator
from contextlib import suppress
from time import perf_counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from knowlog.answering import (
    STANDING,
    Answer,
    AnswerEvent,
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
    passages_json,
    record_read,
)
from knowlog.bootstrap import App
from knowlog.database import Scope
from knowlog.edge import (
    STREAM_HEADERS,
    STREAM_TYPE,
    Leave,
    Slots,
    as_error,
    credential_of,
    event,
    problem_document,
    visit_of,
)
from knowlog.kernel.errors import Invalid, Unavailable
from knowlog.llm import TenantAccount
from knowlog.retrieval import Retrieved
from knowlog.tenants import authenticate

router = APIRouter(prefix="/v1/answers", tags=["answers"], route_class=Route, responses=problems(404, 429))

_BY_WORDS = "The model did not answer, so the sentences of the answer were chosen by words alone."
_PASSAGES = 10
"""An answer is sought in so many passages."""


class AnswerAsked(Asked):
    """A question to be answered."""

    mode: Literal["extractive", "generated"] | None = Field(
        None,
        description="How: by quotations alone, or by a language model whose every statement is verified and cited."
        " Null: as the operator has set it.",
    )


class AnswerStatement(Body):
    """One sentence of the answer, and the quotes that it rests on, best first.

    `answers`: it is part of the answer's text; else it only stands near the question, to be shown apart.
    """

    text: str
    citations: list[QuotedPlace]
    score: float
    answers: bool


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
    status: Literal["answered", "not_in_documents"]
    text: str
    statements: list[AnswerStatement]
    confidence: float
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
    await _check_mode(app, caller.scope, body)
    found = await look_up(app, caller.scope, body, _PASSAGES)
    request.app.state.metrics.searched(found.pattern, perf_counter() - started, found.calls)
    await record_read(app, caller.scope, "answer.asked", len(found.passages))
    if not streamed:
        made = await _made(app, caller.scope, body, found)
        answer_id = await _keep(app, caller.scope, body, found, made)
        return reply(_answer(app, made, found, started, answer_id))
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
    try:
        async for happened in as_events(
            asked.question, found.passages, lambda: _made(app, scope, asked, found)
        ):
            yield b""  # waits until the client has taken what was sent
            await leave.renew()
            answer_id = (
                await _keep(app, scope, asked, found, happened.answer) if isinstance(happened, Done) else None
            )
            yield _event(app, happened, found, started, answer_id)
    except Exception as caught:
        yield event("error", problem_document(as_error(caught), visit_of(request.scope).request_id))


def _mode(app: App, asked: AnswerAsked) -> str:
    return asked.mode or app.settings.llm.answers


async def _check_mode(app: App, scope: Scope, asked: AnswerAsked) -> None:
    """Raise Invalid where a language model is wanted and there is none."""
    if _mode(app, asked) == "generated" and not await app.providers_of(scope):
        raise Invalid(
            "There is no language model to write answers: ask with mode extractive, let an admin of your tenant entrust"
            " one (`knowlog language-model set`), or let the operator set KNOWLOG_LLM_MODEL."
        )


async def _made(app: App, scope: Scope, asked: AnswerAsked, found: Retrieved) -> Answer:
    """Make the answer, in the mode that is wanted or on a lower rung."""

    async def quote() -> Answer:
        passages = await with_leads(app.database, scope, found.passages)
        return await compose(
            asked.question, passages, found.model or app.embedder, statistics=found.statistics
        )

    if _mode(app, asked) == "extractive":
        STANDING["extractive"] += 1
        return await quote()
    account = TenantAccount(app.database, app.limiter, scope)
    writing = Writing(await app.providers_of(scope), app.judge, account, app.settings.llm.max_tokens)
    try:
        return await answer_by_ladder(asked.question, found.passages, writing, quote)
    finally:
        await account.settle()


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


def _event(app: App, happened: AnswerEvent, found: Retrieved, started: float, answer_id: str | None) -> bytes:
    match happened:
        case PassagesFound(passages):
            return event("passages", {"passages": passages_json(app, passages, explain=False)})
        case StatementFound(number, statement):
            return event("statement", {"number": number, **_statement(app, statement)})
        case Done(made):
            return event("done", _answer(app, made, found, started, answer_id))


def _answer(
    app: App, made: Answer, found: Retrieved, started: float, answer_id: str | None
) -> dict[str, Any]:
    return {
        "answer_id": answer_id,
        "question": made.question,
        "status": made.status,
        "text": made.text,
        "statements": [_statement(app, statement) for statement in made.statements],
        "confidence": made.confidence,
        "nearest": passages_json(app, made.nearest, explain=False),
        "rung": made.rung,
        "degraded": (*(found.degraded or (("dense",) if made.by_words_alone else ())), *made.degraded),
        "notes": (
            *found.notes,
            *((_BY_WORDS,) if made.by_words_alone and not found.degraded else ()),
            *made.notes,
        ),
        "pattern": found.pattern,
        "took_ms": round((perf_counter() - started) * 1000, 3),
    }


def _statement(app: App, statement: Statement) -> dict[str, Any]:
    citations = [citation_json(app, citation) for citation in statement.citations]
    return {
        "text": statement.text,
        "citations": citations,
        "score": statement.score,
        "answers": statement.answers,
    }
