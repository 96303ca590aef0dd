"""The language model that patterns ask: the first provider of the installation, on the caller's account."""

from knowlog.llm import Account, Prompt, Provider
from knowlog.retrieval.port import Written


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


_MOST_CHARACTERS = 4000
"""As many as a question may have: a model that does not stop is cut off."""
