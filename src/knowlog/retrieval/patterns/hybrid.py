"""Both legs, once: the default, and what every other pattern is measured against."""

from knowlog.retrieval.looking import Candidates, Looking


class Hybrid:
    """The lexical and the dense leg, fused by their scores (decision 0005)."""

    name = "hybrid"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        return await looking.find()
