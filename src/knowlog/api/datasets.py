"""Datasets: questions on a collection with what is known of them, to measure its profile on."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import Field

from knowlog.api.dependencies import NO_NUL, After, AsAdmin, Cursor, Limit, Route, TheApp, as_json, reply
from knowlog.api.model import Body, Listing, problems
from knowlog.api.paging import page_of
from knowlog.api.repeating import Repeats
from knowlog.database import Connection
from knowlog.documents import find_collection
from knowlog.edge import Answer, decode_cursor
from knowlog.evaluation import (
    MOST_QUESTIONS,
    Answers,
    Dataset,
    DocumentText,
    Excerpt,
    Origin,
    Question,
    create_dataset,
    delete_dataset,
    draft_questions,
    get_dataset,
    kept_questions,
    list_datasets,
    questions_of,
    questions_said,
    texts_of,
)
from knowlog.kernel.errors import Invalid
from knowlog.tenants import Principal, record

router = APIRouter(prefix="/v1/datasets", tags=["datasets"], route_class=Route, responses=problems())

Name = Annotated[str, Field(min_length=1, max_length=200, examples=["questions-2026"]), NO_NUL]
Short = Annotated[str, Field(min_length=1, max_length=2000), NO_NUL]
TheDataset = Annotated[str, Path(description="Name or id of a dataset.", max_length=200), NO_NUL]
_MOST_DOCUMENTS = 1000
_MOST_DRAFTS = 1000


class ExcerptBody(Body):
    """Words of a document that answer the question, as they stand there."""

    document: Short = Field(description="External id of the document.")
    text: Annotated[str, Field(min_length=1, max_length=20_000), NO_NUL]


class QuestionBody(Body):
    """A question and what is known of it; what is not known is left out, and is not measured."""

    id: Name
    question: Annotated[str, Field(min_length=1, max_length=4000), NO_NUL]
    answers: list[Short] = Field(default=[], max_length=50, description="Answers that are right.")
    documents: dict[Short, Annotated[int, Field(ge=1, le=100)]] = Field(
        default={}, description="External ids of the relevant documents, and how relevant each is, from 1."
    )
    excerpts: list[ExcerptBody] = Field(default=[], max_length=100)
    unanswerable: bool = Field(False, description="It is known that no document answers it.")

    def question_of(self) -> Question:
        """The noun."""
        excerpts = tuple(Excerpt(each.document, each.text) for each in self.excerpts)
        return Question(
            self.id, self.question, tuple(self.answers), self.documents, excerpts, self.unanswerable
        )


class _About(Body):
    name: Name
    collection: Annotated[str, Field(min_length=1, max_length=200), NO_NUL] = Field(
        description="Name or id of the collection."
    )


class NewDataset(_About):
    """Questions to keep as a dataset."""

    origin: Origin = Field(
        "real", description="`synthetic` for questions that a machine made; they stay marked as such."
    )
    answers: Answers = Field(
        "quoted",
        description="`quoted`: each question's answer must stand in a document; `free`: in words of their own.",
    )
    questions: list[QuestionBody] = Field(min_length=1, max_length=MOST_QUESTIONS)


class NewDrafts(_About):
    """How many questions to draft from the documents of a collection."""

    count: int = Field(50, ge=1, le=_MOST_DRAFTS)
    seed: int = Field(1, ge=0, le=2**31 - 1, description="The same seed gives the same drafts.")


class FromQuestions(_About):
    """How many of the questions that were really asked, or on whose answers something was said, to take, newest first."""

    most: int = Field(500, ge=1, le=MOST_QUESTIONS)


class NumberedQuestion(QuestionBody):
    """A question of a dataset; `position` counts from 1."""

    position: int


@router.post(
    "", status_code=201, response_model=Dataset, responses=problems(404, 409), summary="Create a dataset"
)
async def create(body: NewDataset, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Keep questions as a dataset, which never changes. Ids must differ; documents, excerpts and answers must be there.

    Example: `{"name": "first", "collection": "handbook", "questions": [{"id": "1", "question": "How long?",
    "answers": ["two years"], "documents": {"warranty.md": 1}}]}`.
    """
    questions = [each.question_of() for each in body.questions]

    async def act(connection: Connection) -> Answer:
        return await _create(connection, caller, body, body.origin, body.answers, questions)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    ":draft",
    status_code=201,
    response_model=Dataset,
    responses=problems(404, 409),
    summary="Draft a dataset from documents",
)
async def draft(body: NewDrafts, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Draft questions from the documents of a collection, by rule: a sentence with a gap. The dataset is synthetic for
    good: it says how a profile finds the documents' own words again, and nothing of what people ask.
    """

    async def act(connection: Connection) -> Answer:
        collection_id = await find_collection(connection, caller.scope, body.collection)
        documents: list[DocumentText] = []
        async for each in texts_of(connection, collection_id, None):
            documents.append(each)
            if len(documents) == _MOST_DOCUMENTS:
                break
        questions = draft_questions(documents, body.count, body.seed)
        if not questions:
            raise Invalid(
                "No sentence of the documents has a name or a number to ask for. Write questions by hand."
            )
        return await _create(connection, caller, body, "synthetic", "quoted", questions)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    ":from-questions",
    status_code=201,
    response_model=Dataset,
    responses=problems(404, 409),
    summary="Make a dataset of kept questions",
)
async def from_questions(body: FromQuestions, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Make a dataset of questions that people really asked of the collection, while the tenant had them kept. Their
    answers are not known: a run measures faithfulness, relevance and latency on them.
    """

    async def act(connection: Connection) -> Answer:
        collection_id = await find_collection(connection, caller.scope, body.collection)
        questions = await kept_questions(connection, collection_id, body.most)
        if not questions:
            raise Invalid(
                "No question of this collection was kept. `PUT /v1/kept-questions`, as `knowlog datasets"
                " keep-questions yes`, keeps them from then on."
            )
        return await _create(connection, caller, body, "real", "free", questions)

    return await repeats.reply(app, caller.scope, act)


@router.post(
    ":from-feedback",
    status_code=201,
    response_model=Dataset,
    responses=problems(404, 409),
    summary="Make a dataset of feedback",
)
async def from_feedback(body: FromQuestions, caller: AsAdmin, app: TheApp, repeats: Repeats) -> Response:
    """Make a dataset of questions on whose answers people said something. Corrections are known answers, in words of
    their own; where more thumbs are up than down, the quotes they are for are known to answer; a thumb up for "not in
    your documents" says that nothing does.
    """

    async def act(connection: Connection) -> Answer:
        collection_id = await find_collection(connection, caller.scope, body.collection)
        questions = await questions_said(connection, collection_id, body.most)
        if not questions:
            raise Invalid(
                "Nobody has said anything of an answer from this collection. `POST /v1/answers/{answer_id}/feedback` "
                "takes it, as `knowlog feedback give` does, while questions are kept (`PUT /v1/kept-questions`,"
                " `knowlog datasets keep-questions yes`)."
            )
        return await _create(connection, caller, body, "real", "free", questions)

    return await repeats.reply(app, caller.scope, act)


@router.get("", response_model=Listing[Dataset], summary="List the datasets")
async def listing(caller: AsAdmin, app: TheApp, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """List datasets by name."""
    after: Any = decode_cursor(cursor, str)
    async with app.database.transaction(caller.scope) as connection:
        found = await list_datasets(connection, caller.scope, after and after[0], limit + 1)
    return page_of(found, limit, lambda each: (each.name,))


@router.get("/{dataset}", response_model=Dataset, responses=problems(404), summary="Show one dataset")
async def show(dataset: TheDataset, caller: AsAdmin, app: TheApp) -> Response:
    """Show one dataset. `digest` is the version of its data: the same questions with the same truth have the same."""
    async with app.database.transaction(caller.scope) as connection:
        return reply(await get_dataset(connection, caller.scope, dataset))


@router.get(
    "/{dataset}/questions",
    response_model=Listing[NumberedQuestion],
    responses=problems(404),
    summary="List the questions of a dataset",
)
async def questions(
    dataset: TheDataset,
    caller: AsAdmin,
    app: TheApp,
    after: After = 0,
    limit: Limit = 50,
) -> Response:
    """List its questions in their order, with what is known of each. `next_cursor` is the next page's `after`."""
    async with app.database.transaction(caller.scope) as connection:
        found = await get_dataset(connection, caller.scope, dataset)
        page = await questions_of(connection, found.dataset_id, after, limit + 1)
    items = [
        {"position": position, "id": each.question_id, "question": each.text, **each.truth}
        for position, each in page[:limit]
    ]
    following = str(items[-1]["position"]) if len(page) > limit else None
    return reply({"items": items, "next_cursor": following})


@router.delete("/{dataset}", status_code=204, responses=problems(404), summary="Delete a dataset")
async def delete(dataset: TheDataset, caller: AsAdmin, app: TheApp) -> Response:
    """Delete a dataset with its questions and all its runs."""
    async with app.database.transaction(caller.scope) as connection:
        gone = await delete_dataset(connection, caller.scope, dataset)
        await _record(connection, caller, "deleted", gone)
    return Response(status_code=204)


async def _create(
    connection: Connection, caller: Principal, about: _About, origin: Origin, answers: Answers,
    questions: list[Question],
) -> Answer:  # fmt: skip
    made = await create_dataset(
        connection, caller.scope, about.collection, about.name, origin, answers, questions
    )
    await _record(connection, caller, "created", made)
    return Answer(201, as_json(made), {"Location": f"/v1/datasets/{made.dataset_id}"})


async def _record(connection: Connection, caller: Principal, done: str, dataset: Dataset) -> None:
    told: dict[str, Any] = {
        "name": dataset.name,
        "collection_id": dataset.collection_id,
        "origin": dataset.origin,
        "question_count": dataset.question_count,
    }
    await record(connection, caller.scope, f"dataset.{done}", f"dataset:{dataset.dataset_id}", told)
