"""Questions that people really asked, kept while the tenant wants that, to make datasets of.

What is kept is the question, the one collection it was asked of, when, and where the quotes of its answer stand; never
who asked. The answer gets an id by which its asker, and nobody else, can say what they think of it (`feedback`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from knowlog.answering import Answer
from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.evaluation.answer_ids import seal
from knowlog.evaluation.model import Question
from knowlog.kernel import new_id

_DATASETS = load_queries("knowlog.evaluation", "datasets.sql")
_FEEDBACK = load_queries("knowlog.evaluation", "feedback.sql")
_BELIEVED_S = 10.0
_LONGEST = 4_000
MOST_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Keeping:
    """That a tenant's questions are kept: since when, on whose word, for how many days (None: until it says otherwise),
    how many there are, and of how many answers somebody has said something.
    """

    since: datetime
    agreed_by: str
    keep_days: int | None
    question_count: int
    feedback_count: int


class QuestionKeeper:
    """Keeps questions of tenants that want it. Looks up again every ten seconds whether they do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted: dict[UUID, tuple[float, bool]] = {}

    async def keep(self, scope: Scope, collection: str, answer: Answer) -> str | None:
        """Keep the question of an answer that was asked of a collection (name or id), unless its tenant does not want
        that.

        Returns the id of the answer, or None when nothing was kept.
        """
        looked_at, wanted = self._wanted.get(scope.tenant_id, (float("-inf"), False))
        if not wanted and monotonic() - looked_at < _BELIEVED_S:
            return None
        question_id = new_id()
        async with self._database.transaction(scope) as connection:
            key = await connection.fetchval(
                _FEEDBACK["keep_question"], question_id, collection, answer.question[:_LONGEST],
                answer.status == "answered", list(_cited(answer)),
            )  # fmt: skip
        self._wanted[scope.tenant_id] = (monotonic(), key is not None)
        return None if key is None else seal(key, scope.principal, question_id)


async def keep_questions(connection: Connection, scope: Scope, keep_days: int | None) -> None:
    """Keep the tenant's questions from now on, each for so many days."""
    await connection.execute(_DATASETS["keep_questions"], scope.principal, keep_days)


async def forget_questions(connection: Connection) -> None:
    """Keep the tenant's questions no longer, and delete those that were kept, with what was said of their answers."""
    await connection.execute(_DATASETS["forget_questions"])


async def kept_since(connection: Connection) -> Keeping | None:
    """Return how questions are kept; None where they are not."""
    row = await connection.fetchrow(_DATASETS["keeping"])
    return None if row is None else Keeping(**row)


async def kept_questions(connection: Connection, collection_id: UUID, most: int) -> list[Question]:
    """Return different questions that were asked of a collection, newest first. Nothing is known of their answers."""
    rows = await connection.fetch(_DATASETS["kept_questions"], collection_id, most)
    return [Question(f"asked-{number}", row["question"]) for number, row in enumerate(rows, start=1)]


def _cited(answer: Answer) -> Iterable[Mapping[str, Any]]:
    """Where the quotes stand on which the answer's text rests."""
    for statement in answer.statements:
        for each in statement.citations[:1] if statement.answers else ():
            yield {
                "document_id": str(each.document_id), "version": each.version,
                "start_offset": each.start, "end_offset": each.end,
            }  # fmt: skip
