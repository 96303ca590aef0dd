"""The language model that patterns ask: the first of those that the caller's tenant has, on its account."""

from collections.abc import Awaitable, Callable

from knowlog.kernel.errors import Invalid
from knowlog.llm import Account, Prompt, Provider
from knowlog.retrieval.port import Writer, Written


class ProviderWriter:
    """Is a Writer. What it is given is marked as material; what it writes is only ever looked for or counted."""

    def __init__(self, provider: Provider, account: Account, max_tokens: int) -> None:
        self._provider = provider
        self._account = account
        self._max_tokens = max_tokens

    async def write(self, task: str, material: str) -> Written:
        """See Writer."""
        reply = await self._provider.complete(Prompt(task, material, self._max_tokens), self._account)
        return Written(reply.text.strip()[:_MOST_CHARACTERS], reply.usage.tokens)


class LazyWriter:
    """Is a Writer, found when it is first asked: most searches ask none."""

    def __init__(self, find: Callable[[], Awaitable[Writer | None]]) -> None:
        self._find = find
        self._found: Writer | None = None

    async def write(self, task: str, material: str) -> Written:
        """See Writer. Raises Invalid where there is none."""
        self._found = self._found or await self._find()
        if self._found is None:
            raise Invalid(_NONE)
        return await self._found.write(task, material)


_NONE = (
    "This retrieval pattern asks a language model, and there is none. Choose another pattern, such as hybrid, let an"
    " admin entrust a model (`knowlog language-model set`), or let the operator set KNOWLOG_LLM_MODEL."
)
_MOST_CHARACTERS = 4000
"""As many as a question may have: a model that does not stop is cut off."""
