"""Questions that people really asked, kept while the tenant wants that, to make datasets of.

What is kept is the question, the one collection it was asked of, when, and whether it was answered; never who asked. What
people think of answers would be kept beside it, once they can say so.
"""

from datetime import datetime
from time import monotonic
from uuid import UUID

from knowlog.database import Connection, Database, Scope, load_queries
from knowlog.evaluation.model import Question
from knowlog.kernel import new_id

_SQL = load_queries("knowlog.evaluation", "datasets.sql")
_BELIEVED_S = 10.0
_LONGEST = 4_000


class QuestionKeeper:
    """Keeps questions of tenants that want it. Looks up again every ten seconds whether they do."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wanted: dict[UUID, tuple[float, bool]] = {}

    async def keep(self, scope: Scope, collection: str, question: str, answered: bool) -> None:
        """Keep a question that was asked of a collection (name or id), unless its tenant does not want that."""
        looked_at, wanted = self._wanted.get(scope.tenant_id, (float("-inf"), False))
        if not wanted and monotonic() - looked_at < _BELIEVED_S:
            return
        async with self._database.transaction(scope) as connection:
            done = await connection.execute(
                _SQL["keep_question"], new_id(), collection, question[:_LONGEST], answered
            )
        self._wanted[scope.tenant_id] = (monotonic(), not str(done).endswith(" 0"))


async def keep_questions(connection: Connection, scope: Scope) -> None:
    """Keep the tenant's questions from now on."""
    await connection.execute(_SQL["keep_questions"], scope.principal)


async def forget_questions(connection: Connection) -> None:
    """Keep the tenant's questions no longer, and delete those that were kept."""
    await connection.execute(_SQL["forget_questions"])


async def kept_since(connection: Connection) -> tuple[datetime, str, int] | None:
    """Return since when questions are kept, on whose word, and how many there are; None where they are not."""
    row = await connection.fetchrow(_SQL["keeping"])
    return None if row is None else (row["since"], row["agreed_by"], row["question_count"])


async def kept_questions(connection: Connection, collection_id: UUID, most: int) -> list[Question]:
    """Return different questions that were asked of a collection, newest first. Nothing is known of their answers."""
    rows = await connection.fetch(_SQL["kept_questions"], collection_id, most)
    return [Question(f"asked-{number}", row["question"]) for number, row in enumerate(rows, start=1)]
