"""Whether a quotation holds the answer."""

from collections.abc import Iterable


def answer_inside(quote: str, answers: Iterable[str]) -> bool:
    """Say whether a known answer stands in the quote, letter for letter but for runs of white space.

    The extractive counterpart of SQuAD's exact match (Rajpurkar et al., 2016): a quotation is longer than the
    answer, so that holding it is what can be asked of it.
    """
    text = " ".join(quote.split())
    return any(" ".join(each.split()) in text for each in answers if each.strip())
