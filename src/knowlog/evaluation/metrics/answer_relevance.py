"""Whether an answer speaks of what was asked."""

import numpy as np
from numpy.typing import NDArray


def answer_relevance(question: NDArray[np.float32], statements: NDArray[np.float32]) -> float:
    """The mean cosine of the question and each statement of the answer, 0 to 1; negative cosines count as 0.

    The vectors have length 1: one of the question, a row for each statement. After RAGAS (Es et al., EACL 2024), which
    compares the question with questions that a language model makes from the answer: here the answer is compared itself.
    Figures of different embedding models are not comparable. An answer without a statement scores 0.
    """
    if not len(statements):
        return 0.0
    return float(np.clip(statements @ question, 0, 1).mean())
