"""The answer to a question of a run: made as users' answers are, of quotations or written by a language model."""

from collections.abc import Sequence

from knowlog.answering import Answer, Writing, answer_by_ladder, compose, with_leads
from knowlog.database import Scope
from knowlog.evaluation.means import Asked
from knowlog.evaluation.model import Mode
from knowlog.kernel.errors import Conflict
from knowlog.llm import Provider, TenantAccount
from knowlog.retrieval import Passage, Retrieved

_NO_WRITER = (
    "There is no language model any more to write the answers. Run it again with mode extractive, or set one."
)


async def writers_of(asked: Asked, scope: Scope, mode: Mode) -> Sequence[Provider]:
    """The language models that answers are asked of, in their order; none for quotations. Raises Conflict where there
    should be one, and Unavailable.
    """
    writers = await asked.providers_of(scope) if mode == "generated" else ()
    if mode == "generated" and not writers:
        raise Conflict(_NO_WRITER)
    return writers


async def answer_of(
    asked: Asked, scope: Scope, question: str, found: Retrieved, passages: Sequence[Passage], mode: Mode
) -> Answer:
    """Answer from passages that were found. What a language model used is put on the tenant's account.

    It proposes nothing to ask next, which no metric looks at. Raises as answering does.
    """

    async def quote() -> Answer:
        leading = await with_leads(asked.database, scope, passages)
        return await compose(question, leading, found.model or asked.embedder, statistics=found.statistics)

    writers = await writers_of(asked, scope, mode)
    if not writers:
        return await quote()
    account = TenantAccount(asked.database, asked.limiter, scope)
    writing = Writing(writers, asked.judge, account, asked.max_tokens, _nothing_more)
    try:
        return await answer_by_ladder(question, passages, writing, quote)
    finally:
        await account.settle()


async def _nothing_more(_: str) -> bool:
    return False
