"""Whether the documents answer the question: a probability from two figures of the best sentence found.

- similarity: the cosine of the best sentence, read under its title, to the question, on the common scale of
  `similarity` (0 unrelated, 1 a question with its answer), so that it means the same for every embedding
  model;
- support: the share of the question's content that the sentence covers together with its context.

A logistic regression joins them. It was fitted on questions whose article was in the collection (label 1) and
the same questions with their article left out (label 0), and each article was judged by weights fitted on
others. Names covered, score margins and twelve further figures added less than 0.02 to either rate.
docs/answers.md has the curve.
"""

import math

SIMILARITY_WEIGHT = 10.0
SUPPORT_WEIGHT = 8.0
BIAS = -10.4
SUPPORT_ONLY_WEIGHT = 11.4
SUPPORT_ONLY_BIAS = -5.3
"""The same regression without similarity, for when the embedder does not answer."""

LEAST_CONFIDENCE = 0.25
"""Below it the answer is that the documents do not say. Low, because a wrong refusal hides what is there,
while a wrong answer shows its quote."""


def confidence(similarity: float | None, support: float) -> float:
    """Return the probability, 0 to 1, that the documents answer, were as many questions answerable as not."""
    if similarity is None:
        odds = SUPPORT_ONLY_BIAS + SUPPORT_ONLY_WEIGHT * support
    else:
        odds = BIAS + SIMILARITY_WEIGHT * similarity + SUPPORT_WEIGHT * support
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
