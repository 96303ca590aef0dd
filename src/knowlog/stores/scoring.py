"""BM25 of texts that stand in no index: each is weighed among the others alone."""

from collections import Counter
from collections.abc import Sequence

from knowlog.stores.bm25 import average_length, inverse_frequency, weigh
from knowlog.stores.terms import lexemes


def score_texts(texts: Sequence[str], question: str) -> dict[int, float]:
    """Return the BM25 score of each text that shares a lexeme with the question, by its place, as if these were all
    chunks of a collection.
    """
    places: dict[str, int] = {}
    counted = [Counter(places.setdefault(each, len(places)) for each in lexemes(text)) for text in texts]
    average = average_length(sum(each.total() for each in counted), len(counted))
    weights = [weigh(each, average) for each in counted]
    scores: dict[int, float] = {}
    for lexeme, count in Counter(lexemes(question)).items():
        term = places.get(lexeme, -1)
        holding = [place for place, each in enumerate(weights) if term in each]
        inverse = inverse_frequency(len(texts), len(holding))
        for place in holding:
            scores[place] = scores.get(place, 0.0) + count * inverse * weights[place][term]
    return scores
