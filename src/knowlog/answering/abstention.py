"""Whether the documents answer the question: a probability from two figures of the best sentence found.

- similarity: the cosine of the best sentence, read under its title, to the question, on the common scale of
  `similarity` (0 unrelated, 1 a question with its answer), so that it means the same for every embedding
  model;
- support: the share of the question's content that the sentence covers together with its context.

A logistic regression joins them. It was fitted on questions whose article was in the collection (label 1) and
the same questions with their article left out (label 0), and each article was judged by weights fitted on
others. Coverage of names, score margins and twelve further figures added less than 0.01 to either rate.
docs/answers.md has the curve.
"""

import math

SIMILARITY_WEIGHT = 10.0
SUPPORT_WEIGHT = 8.0
BIAS = -10.2

LEAST_CONFIDENCE = 0.3
"""Below it the answer is that the documents do not say: so ends one in thirty questions that they answer."""


def confidence(similarity: float, support: float) -> float:
    """Return the probability, 0 to 1, that the documents answer, were as many questions answerable as not."""
    odds = BIAS + SIMILARITY_WEIGHT * similarity + SUPPORT_WEIGHT * support
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
