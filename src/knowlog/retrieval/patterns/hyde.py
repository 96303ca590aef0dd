"""HyDE: a language model writes a passage that would answer the question, and its likes are looked for.

Gao et al. 2022, https://arxiv.org/abs/2212.10496: an invented answer is wrong in its facts and right in its form, so that
its vector lies among those of real answers. The words are looked for as they were asked, since invented ones mislead.
"""

from dataclasses import replace

import numpy as np

from knowlog.retrieval.looking import Candidates, Looking
from knowlog.stores import Vectors

_TASK = "Write one short paragraph, as it might stand in a document, that answers the question. Write nothing else."


class Hyde:
    """Looks for the words of the question, and for the mean of its vector and the invented passage's."""

    name = "hyde"
    needs_llm = True

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        passage = await looking.write(_TASK, looking.question)
        async with looking.snapshot() as legs:
            asked = await looking.find()
            looking.did("invented a passage", passage=passage)
            invented = await looking.embedding_of(passage)
            vectors = {each.model.profile.key: each.vector for each in invented.asked}
            drawn = tuple(
                replace(each, vector=_between(each.vector, vectors[each.model.profile.key]))
                for each in asked.questions.asked
                if each.model.profile.key in vectors
            )
            if not drawn:
                return asked
            return await legs.again(asked.statistics, replace(asked.questions, asked=drawn))


def _between(one: Vectors, other: Vectors) -> Vectors:
    total = one + other
    return np.asarray(total / np.linalg.norm(total), np.float32)
