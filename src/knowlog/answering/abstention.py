"""Whether the documents answer the question: a probability from three figures of the best sentence found.

- similarity: the cosine of the best sentence, read under its title, to the question, on the common scale of
  `similarity` (0 unrelated, 1 a question with its answer), so that it means the same for every embedding
  model;
- support: the share of the question's content that the sentence covers together with its context;
- missing: the share of the question's content that is a name or a number and stands nowhere in the passage.

A logistic regression joins them. It was fitted on questions whose article was in the collection (label 1) and
the same questions with their article, and with only their paragraph, left out (label 0, half the weight each),
and each article was judged by weights fitted on others. Whether a date answers "when" or a name "who", score
margins and a dozen further figures added less than 0.01 to either rate. docs/answers.md has the curve.
"""

import math

SIMILARITY_WEIGHT = 3.8
SUPPORT_WEIGHT = 5.2
MISSING_WEIGHT = -3.3
BIAS = -5.6
SUPPORT_ONLY_WEIGHT = 6.5
MISSING_WITHOUT_SIMILARITY_WEIGHT = -4.1
SUPPORT_ONLY_BIAS = -3.2
"""The same regression without similarity, for when the embedder does not answer."""

LEAST_CONFIDENCE = 0.18
"""Below it the answer is that the documents do not say. Low, because a wrong refusal hides what is there,
while a wrong answer shows its quote."""


def confidence(similarity: float | None, support: float, missing: float) -> float:
    """Return the probability, 0 to 1, that the documents answer, were as many questions answerable as not."""
    if similarity is None:
        odds = SUPPORT_ONLY_BIAS + SUPPORT_ONLY_WEIGHT * support + MISSING_WITHOUT_SIMILARITY_WEIGHT * missing
    else:
        odds = BIAS + SIMILARITY_WEIGHT * similarity + SUPPORT_WEIGHT * support + MISSING_WEIGHT * missing
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
