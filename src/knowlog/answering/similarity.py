"""Cosines of any embedding model on one scale: 0 is unrelated, 1 is a question with its answer.

Models differ: one gives unrelated texts a cosine of 0.05, another of 0.75. So the model is shown a few
questions and their answers, once. The mean cosine of what does not belong together becomes 0, of what does,
1.
"""

from dataclasses import dataclass

import numpy as np

from knowlog.embedding import Embedder

_PAIRS = (
    ("When was the bridge opened to traffic?", "The bridge was opened to traffic in May 1932."),
    ("Who wrote the national anthem?", "The words of the national anthem were written by a schoolteacher."),
    ("How many days of holiday do employees have?", "Every employee has 28 days of paid holiday a year."),
    ("What do whales eat?", "Most whales feed on krill and small fish."),
    ("How do I reset my password?", "To choose a new password, follow the link on the login page."),
    ("What caused the outage?", "The service went down because a certificate had expired."),
    ("Where is the largest desert?", "The largest hot desert on Earth is the Sahara, in northern Africa."),
    ("Which metal melts at the lowest temperature?", "Mercury has the lowest melting point of all metals."),
    ("What is the warranty of the pump?", "We repair the pump free of charge for two years."),
    ("Why did the company sell its bank?", "It sold the bank in order to pay back its debts."),
)
_LEAST_SPREAD = 0.05
"""A model that tells related from unrelated by less than this tells nothing."""


@dataclass(frozen=True, slots=True)
class CosineScale:
    """Mean cosine of unrelated texts and of questions with their answers, for one model."""

    unrelated: float
    related: float

    def __call__(self, cosine: float) -> float:
        """Return the cosine on the common scale, or 0.5 for each cosine of a model that tells nothing."""
        spread = self.related - self.unrelated
        return 0.5 if spread < _LEAST_SPREAD else (cosine - self.unrelated) / spread


_measured: dict[
    str, CosineScale
] = {}  # by embedding profile key: the same for ever, so measured once a process


async def cosine_scale(embedder: Embedder) -> CosineScale:
    """Return the scale of an embedder's cosines; the first call for a model embeds twenty short sentences."""
    key = embedder.profile.key
    if key not in _measured:
        _measured[key] = await _measure(embedder)
    return _measured[key]


async def _measure(embedder: Embedder) -> CosineScale:
    answers = await embedder.embed_documents([answer for _, answer in _PAIRS])
    questions = np.stack([await embedder.embed_query(question) for question, _ in _PAIRS])
    cosines = questions @ answers.T
    same = np.eye(len(_PAIRS), dtype=bool)
    return CosineScale(unrelated=float(cosines[~same].mean()), related=float(cosines[same].mean()))
