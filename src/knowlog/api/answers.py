"""Answers: a question to statements, each with the exact quotes that it rests on."""

from collections.abc import AsyncIterator
from time import perf_counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from knowlog.answering import (
    Answer,
    AnswerEvent,
    Done,
    PassagesFound,
    Statement,
    StatementFound,
    compose,
    compose_events,
)
from knowlog.api.dependencies import AsReader, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.api.questions import (
    Asked,
    FoundPassage,
    Place,
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
from knowlog.retrieval import Retrieved
from knowlog.tenants import authenticate

router = APIRouter(prefix="/v1/answers", tags=["answers"], route_class=Route, responses=problems(404, 429))

_BY_WORDS = "The model did not answer, so the sentences of the answer were chosen by words alone."
_PASSAGES = 10
"""An answer is sought in so many passages."""


class QuotedPlace(Place):
    """An exact quote and where it stands: `text[start:end] == quote`."""

    quote: str


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

    `confidence` is the probability, 0 to 1, that the documents hold the answer.
    """

    question: str
    status: Literal["answered", "not_in_documents"]
    text: str
    statements: list[AnswerStatement]
    confidence: float
    nearest: list[FoundPassage]
    degraded: list[str] = Field(
        description="Legs of the search that had to be left out, because what they rest on is down."
    )
    notes: list[str] = Field(description="What that means, in sentences for a person.")
    took_ms: float


@router.post(
    "",
    response_model=AnswerBody,
    responses={200: {"content": {STREAM_TYPE: {}}, "description": "The answer."}},
    summary="Answer a question with citations",
)
async def answer(
    body: Asked,
    request: Request,
    caller: AsReader,
    app: TheApp,
    accept: Annotated[str, Header(description="text/event-stream to see the answer come to be.")] = "*/*",
) -> Response:
    """Answer a question by exact quotations, or say that the documents do not.

    Example: `{"question": "How long does the warranty last?", "collections": ["handbook"]}`.

    With `Accept: text/event-stream`: events `passages`, `statement` (each), `done` (the whole answer), or
    `error`.
    """
    started = perf_counter()
    slots: Slots = request.app.state.slots
    streamed = STREAM_TYPE in accept.lower()
    if streamed:
        slots.check(caller.scope.tenant_id)
    found = await look_up(app, caller.scope, body, _PASSAGES)
    await record_read(app, caller.scope, "answer.asked", len(found.passages))
    if not streamed:
        made = await compose(
            body.question, found.passages, found.model or app.embedder, statistics=found.statistics
        )
        await _keep(app, caller.scope, body, found, made)
        return reply(_answer(app, made, found, started))
    events = _events(app, body, found, started, request, caller.scope)
    return StreamingResponse(
        slots.hold(caller.scope.tenant_id, events), headers=STREAM_HEADERS, media_type=STREAM_TYPE
    )


async def _events(
    app: App, asked: Asked, found: Retrieved, started: float, request: Request, scope: Scope
) -> AsyncIterator[bytes]:
    """Write the answer as it comes to be. No database session is held while the client reads.

    A client that takes its time must still have its key: after a second, that is looked up again.
    """
    leave = Leave(lambda: authenticate(app.database, credential_of(request)))
    try:
        async for happened in compose_events(
            asked.question, found.passages, found.model or app.embedder, statistics=found.statistics
        ):
            yield b""  # waits until the client has taken what was sent
            await leave.renew()
            yield _event(app, happened, found, started)
            if isinstance(happened, Done):
                await _keep(app, scope, asked, found, happened.answer)
    except Exception as caught:
        yield event("error", problem_document(as_error(caught), visit_of(request.scope).request_id))


async def _keep(app: App, scope: Scope, asked: Asked, found: Retrieved, made: Answer) -> None:
    """Keep the question, where the tenant wants that: under the one collection named, or that of the best passage."""
    named = asked.collections or [each.collection for each in found.passages[:1]]
    if len(named) == 1:
        await app.questions.keep(scope, named[0], asked.question, bool(made.statements))


def _event(app: App, happened: AnswerEvent, found: Retrieved, started: float) -> bytes:
    match happened:
        case PassagesFound(passages):
            return event("passages", {"passages": passages_json(app, passages, explain=False)})
        case StatementFound(number, statement):
            return event("statement", {"number": number, **_statement(app, statement)})
        case Done(made):
            return event("done", _answer(app, made, found, started))


def _answer(app: App, made: Answer, found: Retrieved, started: float) -> dict[str, Any]:
    return {
        "question": made.question,
        "status": made.status,
        "text": made.text,
        "statements": [_statement(app, statement) for statement in made.statements],
        "confidence": made.confidence,
        "nearest": passages_json(app, made.nearest, explain=False),
        "degraded": found.degraded or (("dense",) if made.by_words_alone else ()),
        "notes": (*found.notes, _BY_WORDS) if made.by_words_alone and not found.degraded else found.notes,
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
