"""What search and answers have in common: the question, and links to where something stands."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from knowlog.answering import Citation
from knowlog.api.dependencies import NO_NUL, JsonObject, Text
from knowlog.api.model import Body
from knowlog.bootstrap import App
from knowlog.database import Connection, Scope
from knowlog.documents import resolve_collections
from knowlog.evaluation import Mode
from knowlog.kernel.errors import Invalid
from knowlog.resilience import begin
from knowlog.retrieval import (
    Passage,
    PatternName,
    RetrievalProfile,
    Retrieved,
    Search,
    retrieve_resolved,
)
from knowlog.stores import parse_filter
from knowlog.tenants import record

_FILTERS = [{"year": 2026, "team": ["support", "sales"]}]


Earlier = Annotated[str, Field(min_length=1, max_length=4000), NO_NUL]


class Asked(Body):
    """A question, and where to look."""

    question: Annotated[
        str, Field(min_length=1, max_length=4000, examples=["How long does the warranty last?"]), NO_NUL
    ]
    collections: Annotated[list[Text], Field(min_length=1, max_length=100)] | None = Field(
        None, description="Names or ids of collections. Null: all that the key may touch."
    )
    filter: JsonObject | None = Field(
        None,
        description="What the documents' metadata must be: equality, a list for any of its values, or an "
        "object with gt, gte, lt, lte, not, exists. Dots in names go into nested objects.",
        examples=_FILTERS,
    )
    pattern: PatternName | None = Field(
        None, description="The way from the question to passages. Null: that of the collection's profile."
    )
    history: Annotated[list[Earlier], Field(max_length=20)] = Field(
        [],
        description="Questions before this one, the oldest first: what this one leans on is carried over from them.",
        examples=[["How long is the warranty of pumps?"]],
    )


class Leg(Body):
    """How one leg of the search saw a passage."""

    rank: int
    score: float


class Place(Body):
    """Where something stands: `text[start:end]` of this version, in code points. `link` reads it there."""

    document_id: str
    version: int
    collection: str
    external_id: str
    title: str
    start: int
    end: int
    page: int | None = Field(description="Page on which it begins; null in a text without pages.")
    pages: list[int] = Field(description="All pages that it touches.")
    headings: list[str]
    score: float
    link: str


class QuotedPlace(Place):
    """An exact quote and where it stands: `text[start:end] == quote`. `flagged`: it stands in a passage that looks like
    instructions to a machine.
    """

    quote: str
    context: str | None = Field(
        description="Of a row of a table, what it stands under, such as the names of the columns."
    )
    cells: str | None = Field(
        None, description="Where it stands in the sheet of a workbook or a table: `Sheet1!B2:C4`."
    )
    flagged: bool = False


class FoundPassage(Place):
    """A passage that fits the question. `legs` are there when an explanation was asked for. `flagged`: it looks like
    instructions to a machine, and is shown as any text.
    """

    text: str
    metadata: dict[str, Any]
    flagged: bool = False
    legs: dict[str, Leg] = Field(default_factory=dict)


async def mode_of(app: App, scope: Scope, wanted: Mode | None) -> Mode:
    """How a question is answered: as is wanted, or as the operator has set it and there is a language model to do it.

    Raises Invalid where a language model is wanted and there is none.
    """
    mode = wanted or app.settings.llm.answers
    if mode == "extractive" or await app.providers_of(scope):
        return mode
    if wanted is None:
        return "extractive"
    raise Invalid(
        "There is no language model to write answers: ask with mode extractive, let an admin of your tenant entrust"
        " one (`knowlog language-model set`), or let the operator set KNOWLOG_LLM_MODEL."
    )


async def look_up(
    app: App, scope: Scope, asked: Asked, limit: int | None, history: Sequence[str] = ()
) -> Retrieved:
    """Find passages, `limit` or as many as the profile says, for a question after those of a thread (`history`) or those
    that were sent with it.

    Raises NotFound for a collection that is not there, Invalid for what cannot be asked.
    """
    begin(app.settings.resilience.question_s)
    wanted = parse_filter(asked.filter)

    async def resolve(connection: Connection) -> Search:
        found = await resolve_collections(connection, scope, asked.collections)
        profile = _profile_of([RetrievalProfile(**each.profile.retrieval) for each in found])
        answering = {each.collection_id: each.answering for each in found}
        most = limit or profile.passages
        return Search(asked.question, tuple(answering), most, wanted, profile, answering, asked.pattern)

    async with app.writing(scope) as writer:
        found = await retrieve_resolved(
            app.database, scope, app.embedder, app.store, asked.question, resolve, open_model=app.models.open,
            writer=writer, history=history or asked.history,
        )  # fmt: skip
    app.limiter.count_question(scope.tenant_id, found.embedded_tokens)
    return found


def _profile_of(profiles: Sequence[RetrievalProfile]) -> RetrievalProfile:
    """That of the one collection; of several, the usual one, strict where one of them is."""
    if len(profiles) == 1:
        return profiles[0]
    strict = any(each.flagged == "drop" for each in profiles)
    return RetrievalProfile(flagged="drop" if strict else "show")


def passages_json(app: App, passages: Sequence[Passage], explain: bool) -> list[dict[str, Any]]:
    """Render passages."""
    return [
        {
            **_place(app, passage),
            "text": passage.text,
            "metadata": passage.metadata,
            "flagged": passage.flagged,
            **({"legs": passage.legs} if explain else {}),
        }
        for passage in passages
    ]


def citation_json(app: App, citation: Citation) -> dict[str, Any]:
    """Render a citation."""
    own = {
        "quote": citation.quote,
        "context": citation.context,
        "cells": citation.cells,
        "flagged": citation.flagged,
    }
    return {**_place(app, citation), **own}


def _place(app: App, found: Passage | Citation) -> dict[str, Any]:
    base = (app.settings.api.public_url or "").rstrip("/")
    span = f"start={found.start}&end={found.end}&version={found.version}"
    return {
        "document_id": found.document_id,
        "version": found.version,
        "collection": found.collection,
        "external_id": found.external_id,
        "title": found.title,
        "start": found.start,
        "end": found.end,
        "page": found.page,
        "pages": found.pages,
        "headings": found.headings,
        "score": found.score,
        "link": f"{base}/v1/documents/{found.document_id}/text?{span}",
    }


async def record_read(app: App, scope: Scope, action: str, passages: int) -> None:
    """Record that somebody has asked, where the operator wants that. What was asked is the caller's own."""
    if app.settings.api.audit_reads:
        async with app.database.transaction(scope) as connection:
            await record(connection, scope, action, None, {"passages": passages})
