"""What a retrieval pattern is."""

from typing import Protocol

from knowlog.retrieval.looking import Candidates, Looking


class Pattern(Protocol):
    """A way from a question to passages. One file each; a line in the registry makes it known.

    It keeps no state between two questions.
    """

    name: str
    needs_llm: bool
    """Whether it asks a language model; without one it is refused."""

    async def find(self, looking: Looking) -> Candidates:
        """Return the chunks that fit the question best, best first. Raises what `looking` raises."""
        ...
