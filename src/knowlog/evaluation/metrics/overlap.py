"""Agreement of a fast search with an exact one."""

from collections.abc import Hashable, Sequence


def overlap(found: Sequence[Hashable], exact: Sequence[Hashable], k: int) -> float:
    """Which share of the exact search's first k the fast search also has among its first k, 0 to 1.

    This is recall@k as ANN-Benchmarks defines it (Aumüller et al., Information Systems 87, 2020).
    When the exact search found nothing there is nothing to miss: 1.
    """
    wanted = set(exact[:k])
    return len(wanted.intersection(found[:k])) / len(wanted) if wanted else 1.0
