"""Whether an answer is supported by the passages it was made from."""

from collections.abc import Sequence


def faithful_share(supported: Sequence[bool]) -> float:
    """Which share of an answer's claims the passages support, 0 to 1; 1 for an answer that claims nothing.

    The faithfulness of RAGAS (Es et al., EACL 2024). Who judges the claims is part of the figure: `knowlog.faithfulness`.
    """
    return sum(supported) / len(supported) if supported else 1.0
