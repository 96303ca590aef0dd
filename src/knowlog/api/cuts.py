"""Cuts: one document under several ways of chunking, side by side, and what a question finds in each."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from knowlog.api.dependencies import NO_NUL, AsEditor, JsonObject, Route, TheApp, reply
from knowlog.api.model import Body, problems
from knowlog.api.questions import Leg
from knowlog.chunking import ChunkingProfile
from knowlog.evaluation import DocumentCutter, Wish, cuts_as_json
from knowlog.ingestion import Cutter
from knowlog.kernel.errors import Invalid

router = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=Route, responses=problems())


class WantedCuts(Body):
    """How to cut: sections `chunking` of profiles. What one leaves out has its default."""

    profiles: Annotated[list[JsonObject], Field(min_length=1, max_length=4)] = Field(
        examples=[[{"strategy": "recursive"}, {"strategy": "structure", "size_tokens": 200}]]
    )
    start: int = Field(0, ge=0, le=10**9, description="Offset from which on a long document is cut.")
    question: Annotated[str, Field(min_length=1, max_length=4000), NO_NUL] | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = Field(5, description="Most chunks found in each cut.")


class CutChunk(BaseModel):
    """A chunk, as it would be stored: `text[start:end]` of the version, in code points."""

    start: int
    end: int
    tokens: int
    page: int | None
    headings: list[str]
    context: list[str]
    parent: int | None = Field(description="Place of the larger chunk around it; its own for such a one.")


class Finding(BaseModel):
    """A chunk that the question finds: its place among the chunks of the cut, and what each leg says of it."""

    chunk: int
    score: float
    legs: dict[str, Leg]


class Cut(BaseModel):
    """What one profile makes of the text, and the chunks that the question finds, best first."""

    profile: dict[str, Any]
    took_ms: float
    chunks: list[CutChunk]
    found: list[Finding]


class Cuts(BaseModel):
    """A stretch of a document's text, from `start` on, cut in several ways."""

    document_id: UUID
    version: int
    title: str
    start: int
    length: int = Field(description="Characters of the whole text.")
    text: str
    embedded_tokens: int
    notes: list[str] = Field(description="What was left out, in sentences for a person.")
    cuts: list[Cut]


@router.post(
    "/{document_id:uuid}/cuts",
    response_model=Cuts,
    responses=problems(404, 429),
    summary="Cut in several ways",
)
async def cuts(
    document_id: UUID, body: WantedCuts, request: Request, caller: AsEditor, app: TheApp
) -> Response:
    """Cut a document as each profile says, beside each other, and store nothing. Of a text of more than 60,000 characters
    a stretch from `start` on is cut. With a question, the chunks that it finds are shown as if they were a collection's
    only ones; their embedding counts as the tenant's. The strategy `llm` is for `knowlog chunk`, which tells its costs.

    Example: `{"profiles": [{"strategy": "recursive"}, {"strategy": "sentence"}], "question": "How long?"}`.
    """
    profiles = [_profile(fields, app.embedder.profile.window_tokens) for fields in body.profiles]
    settings = app.settings
    cutter = Cutter(app.database, app.embedder, None, settings.parsing.max_chunks, settings.limits)
    cutting = DocumentCutter(app.database, app.embedder, cutter, settings.limits)
    wish = Wish(profiles, body.start, body.question, body.limit)
    async with request.app.state.cutting:
        made = await cutting.cut(caller.scope, document_id, wish)
    return reply({"document_id": document_id, **cuts_as_json(made)})


def _profile(fields: dict[str, Any], window_tokens: int) -> ChunkingProfile:
    profile = ChunkingProfile.read(fields, window_tokens)
    if profile.strategy == "llm":
        raise Invalid(
            "The strategy llm sends the text to a language model and costs money: look at it with"
            " `knowlog chunk FILE --strategy llm`, which says how much first."
        )
    return profile
