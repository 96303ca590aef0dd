"""Datasets as a tenant keeps them: checked against the documents when they come in, and never changed."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any
from uuid import UUID

import orjson

from knowlog.database import Connection, Scope, load_queries
from knowlog.documents import find_collection, within
from knowlog.evaluation.locating import DocumentText, PlainText, plain, texts_of
from knowlog.evaluation.model import Answers, Dataset, Origin, Question
from knowlog.kernel import new_id
from knowlog.kernel.errors import Conflict, Invalid, NotFound
from knowlog.kernel.wording import counted
from knowlog.tenants import clean_name

MOST_DATASETS = 200
MOST_QUESTIONS = 20_000
_SQL = load_queries("knowlog.evaluation", "datasets.sql")
_NAMED = 5
_LOOK_S = 25.0
"""So long answers and excerpts are looked for: less than a transaction may be idle (30 s)."""


async def create_dataset(
    connection: Connection, scope: Scope, collection: str, name: str, origin: Origin, answers: Answers,
    questions: Sequence[Question],
) -> Dataset:  # fmt: skip
    """Keep questions on a collection as a dataset.

    With `answers` "quoted", a known answer of each question must stand in a document: in one of those that it names, or
    in any. Raises NotFound for the collection; Invalid, naming questions, for what is wrong with them; Conflict when the
    name is taken or there are too many datasets. Nothing is kept then.
    """
    collection_id = await find_collection(connection, scope, collection)
    _check_ids(questions)
    _check_consistent(questions)
    await _check_documents(connection, collection_id, questions)
    await _check_texts(connection, collection_id, questions, answers)
    if await connection.fetchval(_SQL["count_datasets"]) >= MOST_DATASETS:
        raise Conflict(f"There are {MOST_DATASETS} datasets, the most there may be. Delete one first.")
    dataset_id, name = new_id(), clean_name(name)
    made = await connection.fetchval(
        _SQL["insert_dataset"], dataset_id, collection_id, name, origin, digest(questions),
        len(questions), scope.principal,
    )  # fmt: skip
    if not made:
        raise Conflict(f"There is a dataset {name!r} already. Choose another name, or delete that one.")
    await connection.execute(
        _SQL["insert_questions"], dataset_id, list(range(1, len(questions) + 1)),
        [each.question_id for each in questions], [each.text for each in questions],
        [each.truth for each in questions],
    )  # fmt: skip
    return await get_dataset(connection, scope, str(dataset_id))


async def list_datasets(
    connection: Connection, scope: Scope, after: str | None = None, most: int = 100
) -> list[Dataset]:
    """List datasets in the order of their names, from behind the name `after`."""
    rows = await connection.fetch(_SQL["list_datasets"], after, within(scope), most)
    return [Dataset(**row) for row in rows]


async def get_dataset(connection: Connection, scope: Scope, name_or_id: str) -> Dataset:
    """Return a dataset by its name or id. Raises NotFound."""
    row = await connection.fetchrow(_SQL["find_dataset"], name_or_id, within(scope))
    if row is None:
        raise NotFound(
            f"There is no dataset {name_or_id[:200]!r}. `GET /v1/datasets` lists yours, as `knowlog datasets list` does."
        )
    return Dataset(**row)


async def delete_dataset(connection: Connection, scope: Scope, name_or_id: str) -> Dataset:
    """Delete a dataset with its questions and runs. Raises NotFound."""
    found = await get_dataset(connection, scope, name_or_id)
    await connection.execute(_SQL["delete_dataset"], found.dataset_id)
    return found


async def questions_of(
    connection: Connection, dataset_id: UUID, after: int = 0, most: int = MOST_QUESTIONS
) -> list[tuple[int, Question]]:
    """Return questions of a dataset with their positions (from 1), from behind the position `after`."""
    rows = await connection.fetch(_SQL["questions"], dataset_id, after, most)
    return [
        (row["position"], Question.stored(row["question_id"], row["question"], row["truth"])) for row in rows
    ]


def digest(questions: Sequence[Question]) -> str:
    """Return the version of the data: the same questions with the same truth have the same."""
    told = [[each.question_id, each.text, each.truth] for each in questions]
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _check_ids(questions: Sequence[Question]) -> None:
    if not questions:
        raise Invalid("The dataset holds no question. Send at least one.")
    if len(questions) > MOST_QUESTIONS:
        raise Invalid(f"The dataset holds {len(questions):,} questions; {MOST_QUESTIONS:,} are the most.")
    counts = Counter(each.question_id for each in questions)
    if twice := [each for each, count in counts.items() if count > 1]:
        raise Invalid(
            f"{_ids(twice)} {_is(twice)} there more than once. Give each question an id of its own."
        )


def _check_consistent(questions: Sequence[Question]) -> None:
    if empty := [each.question_id for each in questions if not each.text.strip()]:
        raise Invalid(f"The question {_ids(empty)} has no text. Write one, or leave it out.")
    empty = [
        each.question_id
        for each in questions
        if not all(text.strip() for text in (*each.answers, *(excerpt.text for excerpt in each.excerpts)))
    ]
    if empty:
        raise Invalid(
            f"{_ids(empty)} {_has(empty)} an answer or excerpt without a word. Write it, or leave it out."
        )
    both = [
        each.question_id
        for each in questions
        if each.unanswerable and (each.answers or each.documents or each.excerpts)
    ]
    if both:
        raise Invalid(
            f"{_ids(both)} {_is(both)} called unanswerable, and has an answer. Leave one of them out."
        )


async def _check_documents(
    connection: Connection, collection_id: UUID, questions: Sequence[Question]
) -> None:
    named = {name for each in questions for name in _named(each)}
    rows = await connection.fetch(_SQL["present"], collection_id, list(named))
    if missing := sorted(named - {row["external_id"] for row in rows}):
        raise Invalid(
            f"The dataset names {counted(len(missing), 'document')} that the collection does not have, or has not"
            f" indexed: {_ids(missing)}. Ingest them first, or name them by their external_id, which"
            " `knowlog documents list --json` shows (of an ingested file its whole path)."
        )


async def _check_texts(
    connection: Connection, collection_id: UUID, questions: Sequence[Question], answers: Answers
) -> None:
    """Look for each excerpt, and each question's answers, in the texts, document by document."""
    sought = _Sought.of(questions, answers)
    only = None if sought.anywhere else list(sought.by_document)
    if only != []:
        async for document in texts_of(connection, collection_id, only):
            await asyncio.to_thread(sought.look, document)
    if sought.excerpts:
        raise Invalid(
            f"The excerpts of {_ids(sorted({each[0] for each in sought.excerpts}))} do not stand in their documents. "
            "Copy them as they stand there."
        )
    if sought.answers:
        raise Invalid(
            f"No document holds an answer of {_ids(list(sought.answers))} ({len(sought.answers):,} of"
            f" {len(questions):,} questions). Correct them, or say that answers are in words of their own"
            ' ("answers": "free", --answers free).'
        )


@dataclass(slots=True)
class _Sought:
    """What is still to be found: excerpts by question, document and words; answers, as `plain` has them, by question.

    `by_document` says of which questions something may stand in a document, `anywhere` which name none.
    """

    excerpts: dict[tuple[str, str, str], None]
    answers: dict[str, list[str]]
    by_document: dict[str, list[Question]]
    anywhere: list[str]
    until: float

    @classmethod
    def of(cls, questions: Sequence[Question], answers: Answers) -> "_Sought":
        quoted = [each for each in questions if each.answers and answers == "quoted"]
        by_document: dict[str, list[Question]] = {}
        for each in questions:
            for name in _named(each) if each.excerpts or each.answers else ():
                by_document.setdefault(name, []).append(each)
        return cls(
            {(each.question_id, one.document, plain(one.text)): None for each in questions for one in each.excerpts},
            {each.question_id: list(map(plain, each.answers)) for each in quoted},
            by_document, [each.question_id for each in quoted if not _named(each)], monotonic() + _LOOK_S,
        )  # fmt: skip

    def look(self, document: DocumentText) -> None:
        """Strike out what stands in a document. Raises Invalid when looking takes too long."""
        text = PlainText(document.text)
        for each in self.by_document.get(document.external_id, ()):
            for excerpt in each.excerpts:
                self._require_time()
                words = plain(excerpt.text)
                if excerpt.document == document.external_id and words in text:
                    self.excerpts.pop((each.question_id, excerpt.document, words), None)
            self._strike(each.question_id, text)
        for question_id in self.anywhere:
            self._strike(question_id, text)

    def _strike(self, question_id: str, text: PlainText) -> None:
        self._require_time()
        if any(each in text for each in self.answers.get(question_id, ())):
            del self.answers[question_id]

    def _require_time(self) -> None:
        if monotonic() > self.until:
            raise Invalid(
                "To look for so many answers and excerpts in the documents takes more than"
                f" {_LOOK_S:.0f} seconds. Name the documents in which answers stand, or make several datasets."
            )


def _named(question: Question) -> set[str]:
    return {*question.documents, *(each.document for each in question.excerpts)}


def _ids(found: Sequence[str]) -> str:
    shown = ", ".join(repr(each)[:80] for each in found[:_NAMED])
    return shown if len(found) <= _NAMED else f"{shown} and {len(found) - _NAMED:,} more"


def _has(found: Collection[Any]) -> str:
    return "has" if len(found) == 1 else "have"


def _is(found: Collection[Any]) -> str:
    return "is" if len(found) == 1 else "are"
