"""Summaries: what documents say, in as many words as are wished for, each sentence with the quotes that it rests on."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, AsReader, Cursor, Limit, Moment, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.questions import QuotedPlace
from knowlog.api.repeating import Repeats
from knowlog.bootstrap import App
from knowlog.database import Connection, Scope
from knowlog.documents import find_collection, get_document
from knowlog.edge import Answer, decode_cursor
from knowlog.kernel.errors import Invalid
from knowlog.summarizing import (
    LONGEST,
    SHORTEST,
    Form,
    Length,
    Mode,
    Span,
    Summary,
    Unit,
    Wanted,
    ask_summary,
    checked,
    delete_summary,
    get_summary,
    list_summaries,
    renew_summary,
)
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1/summaries", tags=["summaries"], route_class=Route, responses=problems(404))

Name = Annotated[str, Field(min_length=1, max_length=200), NO_NUL]
Topic = Annotated[str, Field(min_length=1, max_length=1000), NO_NUL]


class HowSummarized(Body):
    """In what form and length, of which span of time."""

    since: Moment | None = Field(None, description="Only documents of this moment or later.")
    until: Moment | None = Field(None, description="Only documents from before this moment.")
    date_field: Name | None = Field(
        None,
        description="Member of the documents' metadata that holds their ISO date. Null: when the version came in.",
    )
    form: Form = Field(
        "brief", description="brief: a paragraph; bullets: a list; executive: the main sentence, then a list."
    )
    length: int = Field(150, ge=SHORTEST, le=LONGEST, description="Wished for; kept within a tenth.")
    unit: Unit = Field("words", description="Words, or tokens of the embedding model.")
    mode: Mode = Field(
        "extractive",
        description="By quotations alone, or by a language model whose every statement is verified and cited.",
    )
    renewed: bool = Field(True, description="Make it anew by itself when documents change.")

    def of(self, collection_id: UUID, document_id: UUID | None = None, topic: str | None = None) -> Wanted:
        """The wish for a place."""
        span = Span(self.since, self.until, self.date_field)
        length = Length(self.length, self.unit)
        return Wanted(collection_id, document_id, topic, span, self.form, length, self.mode, self.renewed)


class NewSummary(HowSummarized):
    """What is to be summarized: a document, or a collection, of which perhaps a topic."""

    collection: Name | None = Field(
        None, description="Name or id of a collection. Needed without document_id."
    )
    document_id: UUID | None = Field(None, description="One document.")
    topic: Topic | None = Field(None, description="Only what the collection says of this.")


class SummaryStatementBody(Body):
    """One sentence, and the quotes that it rests on. `written`: by a language model; else it is a quote itself."""

    text: str
    citations: list[QuotedPlace]
    score: float
    written: bool


class SummaryBody(Body):
    """A summary. What it says is there when its state is `done`; when `outdated`, a document has changed since, and it is
    not shown any more. `within`: its `length` is within a tenth of what was wished; else `notes` say why not.
    """

    summary_id: UUID
    collection_id: UUID
    collection: str
    document_id: UUID | None
    external_id: str | None
    batch_id: UUID | None
    state: Literal["waiting", "running", "done", "outdated", "failed", "cancelled"]
    reason: str | None
    topic: str | None
    since: datetime | None
    until: datetime | None
    date_field: str | None
    form: Form
    wished: int
    unit: Unit
    mode: Mode
    renewed: bool
    document_count: int
    text: str | None = None
    statements: list[SummaryStatementBody] = Field(default_factory=list)
    length: int | None = None
    within: bool | None = None
    rung: str | None = None
    plan: str | None = None
    llm_tokens: int = 0
    degraded: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    created_at: datetime
    created_by: str
    made_at: datetime | None


@router.post(
    "",
    status_code=202,
    response_model=SummaryBody,
    responses={**problems(409), 200: {"model": SummaryBody, "description": "It was there already."}},
    summary="Ask for a summary",
)
async def create(body: NewSummary, caller: AsReader, app: TheApp, repeats: Repeats) -> Response:
    """Ask for a summary; a worker makes it. `GET` it until its state is `done`. The same wish is the same summary: it is
    answered at once, with 200, while no document has changed that it rests on.

    Example: `{"collection": "handbook", "topic": "warranty", "length": 120, "form": "bullets"}`.
    """
    writers = await app.summarizing.writers(caller.scope, body.mode)

    async def act(connection: Connection) -> Answer:
        wanted = checked(await _wanted(connection, caller.scope, body), has_model=bool(writers))
        made_with = app.summarizing.made_with(wanted, writers)
        found = await ask_summary(connection, caller.scope, wanted, made_with)
        await _record(connection, caller, "asked", found)
        place = {"Location": f"/v1/summaries/{found.summary_id}"}
        return Answer(200 if found.state == "done" else 202, as_json(rendered(app, found)), place)

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[SummaryBody], summary="List your summaries")
async def listing(
    caller: AsReader,
    app: TheApp,
    collection: Annotated[Name | None, Query(description="Only of this collection.")] = None,
    batch: Annotated[UUID | None, Query(description="Only of this batch.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response:
    """List the summaries that you asked for, newest first, without what they say."""
    before: Any = decode_cursor(cursor, UUID)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_summaries(
            connection, caller.scope, caller.scope.principal, collection=collection, batch_id=batch,
            before=before and before[0], most=limit + 1,
        )  # fmt: skip
    return page_of(found, limit, lambda each: (each.summary_id,), lambda each: rendered(app, each))


@router.get("/{summary_id:uuid}", response_model=SummaryBody, summary="Show one summary")
async def show(summary_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Show a summary of yours. It is absent as soon as you may not see one of the documents that it rests on."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(
            rendered(app, await get_summary(connection, caller.scope, summary_id, caller.scope.principal))
        )


@router.post(
    "/{summary_id:uuid}:renew",
    status_code=202,
    response_model=SummaryBody,
    responses=problems(409),
    summary="Renew a summary",
)
async def renew(summary_id: UUID, caller: AsReader, app: TheApp, repeats: Repeats) -> Response:
    """Have a summary made again that is outdated, or has failed. Of a collection, only what has changed is read again."""

    async def act(connection: Connection) -> Answer:
        found = await renew_summary(connection, caller.scope, summary_id, caller.scope.principal)
        await _record(connection, caller, "asked", found)
        return Answer(202, as_json(rendered(app, found)), {"Location": f"/v1/summaries/{found.summary_id}"})

    return await repeats.reply(app, caller.scope, act)


@router.delete("/{summary_id:uuid}", status_code=204, summary="Delete a summary")
async def delete(summary_id: UUID, caller: AsReader, app: TheApp) -> Response:
    """Delete a summary of yours; where it is being made, that stops."""
    async with app.database.transaction(caller.scope) as connection:
        gone = await delete_summary(connection, caller.scope, summary_id, caller.scope.principal)
        await _record(connection, caller, "deleted", gone)
    return Response(status_code=204)


async def _wanted(connection: Connection, scope: Scope, body: NewSummary) -> Wanted:
    if body.document_id is not None:
        document = await get_document(connection, scope, body.document_id)
        named = body.collection or document.collection
        collection_id = await find_collection(connection, scope, named)
    elif body.collection is None:
        raise Invalid("Name what is to be summarized: collection or document_id.")
    else:
        collection_id = await find_collection(connection, scope, body.collection)
    return body.of(collection_id, body.document_id, body.topic)


def rendered(app: App, summary: Summary) -> dict[str, Any]:
    """A summary as it is shown."""
    wanted, content = summary.wanted, dict(summary.content or {})
    if content:
        content["statements"] = [_statement(app, each) for each in content["statements"]]
    return {
        **{name: getattr(summary, name) for name in _OWN},
        **wished(wanted),
        "topic": wanted["topic"],
        **_NOTHING,
        **content,
    }


def wished(wanted: Any) -> dict[str, Any]:
    """Form, length and span of time as they are shown."""
    span = wanted["span"]
    return {
        "since": span["since"],
        "until": span["until"],
        "date_field": span["field"],
        "form": wanted["form"],
        "wished": wanted["length"]["target"],
        "unit": wanted["length"]["unit"],
        "mode": wanted["mode"],
        "renewed": wanted["renewed"],
    }


_NOTHING: dict[str, Any] = {
    "text": None, "statements": [], "length": None, "within": None, "rung": None, "plan": None, "llm_tokens": 0,
    "degraded": [], "notes": [],
}  # fmt: skip
_OWN = (
    "summary_id", "collection_id", "collection", "document_id", "external_id", "batch_id", "state", "reason",
    "document_count", "created_at", "created_by", "made_at",
)  # fmt: skip


def _statement(app: App, statement: dict[str, Any]) -> dict[str, Any]:
    base = (app.settings.api.public_url or "").rstrip("/")
    citations = [
        {
            **each,
            "page": next(iter(each["pages"]), None),
            "link": f"{base}/v1/documents/{each['document_id']}/text"
            f"?start={each['start']}&end={each['end']}&version={each['version']}",
        }
        for each in statement["citations"]
    ]
    return {**statement, "citations": citations}


async def _record(connection: Connection, caller: Principal, done: str, summary: Summary) -> None:
    told = {"collection_id": summary.collection_id, "document_id": summary.document_id}
    await record(connection, caller.scope, f"summary.{done}", f"summary:{summary.summary_id}", told)
