"""Whether an answer abstains when it should, and only then."""


def abstention(abstained: bool, answerable: bool) -> float:
    """1 where a question that the documents answer was answered, or another was not; else 0.

    Its mean is the accuracy of the decision to answer (Rajpurkar et al., "Know what you don't know", ACL 2018).
    """
    return float(abstained is not answerable)
