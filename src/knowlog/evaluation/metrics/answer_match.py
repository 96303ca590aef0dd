"""How near an answer comes to the known ones, as SQuAD scores it."""

import re
import string
from collections import Counter
from collections.abc import Iterable

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def exact_match(answer: str, known: Iterable[str]) -> float:
    """1 where the answer is one of the known ones, letter for letter after normalising; else 0.

    Normalised are case, punctuation, the articles a, an and the, and white space (Rajpurkar et al., EMNLP 2016).
    """
    return float(any(_normal(answer) == _normal(each) for each in known))


def answer_f1(answer: str, known: Iterable[str]) -> float:
    """F1 of the words of the answer and of the known one that it comes nearest to, 0 to 1.

    Words are normalised as for `exact_match` and counted as bags (Rajpurkar et al., EMNLP 2016). Two answers without a
    word agree, as in SQuAD 2.0.
    """
    return max((_f1(_normal(answer).split(), _normal(each).split()) for each in known), default=0.0)


def _f1(left: list[str], right: list[str]) -> float:
    if not left or not right:
        return float(left == right)
    common = (Counter(left) & Counter(right)).total()
    return 2 * common / (len(left) + len(right))


def _normal(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())
