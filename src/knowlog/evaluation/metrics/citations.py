"""Whether an answer cites what it should."""

from collections.abc import Collection

Cited = tuple[str, int, int]
"""A document's external id, and the span [start, end) of its text."""


def citation_precision(cited: Collection[Cited], wanted: Collection[Cited]) -> float:
    """Which share of the citations touches a passage that is known to answer, 0 to 1; 0 for an answer without any.

    After ALCE (Gao et al., EMNLP 2023), which lets a model judge each citation: here what is known decides. Where only
    the document is known, its span is all of it.
    """
    return sum(any(_touch(each, one) for one in wanted) for each in cited) / len(cited) if cited else 0.0


def citation_recall(cited: Collection[Cited], wanted: Collection[Cited]) -> float:
    """Which share of the passages that are known to answer is touched by a citation, 0 to 1.

    Raises ValueError where nothing is known to answer.
    """
    if not wanted:
        raise ValueError("There is no recall of citations where nothing is known to answer.")
    return sum(any(_touch(each, one) for each in cited) for one in wanted) / len(wanted)


def _touch(left: Cited, right: Cited) -> bool:
    return left[0] == right[0] and left[1] < right[2] and right[1] < left[2]
