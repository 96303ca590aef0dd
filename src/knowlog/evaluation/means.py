"""What asking questions rests on."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from knowlog.database import Database, Scope
from knowlog.embedding import Embedder, OpenModel
from knowlog.faithfulness import Judge
from knowlog.llm import Provider
from knowlog.retrieval import Writer
from knowlog.stores import VectorStore
from knowlog.tenants import Limiter


@dataclass(frozen=True, slots=True)
class Asked:
    """What asking rests on: the same that a request to the API rests on, a judge, and who writes on whose account.

    `writing` is what patterns of retrieval ask, `providers_of` the language models that answers of a tenant are asked of,
    for replies of `max_tokens`.
    """

    database: Database
    embedder: Embedder
    store: VectorStore
    open_model: OpenModel
    judge: Judge
    writing: Callable[[Scope], AbstractAsyncContextManager[Writer | None]]
    limiter: Limiter
    providers_of: Callable[[Scope], Awaitable[Sequence[Provider]]]
    max_tokens: int
