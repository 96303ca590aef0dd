"""The order in which scored documents are judged."""

from collections.abc import Mapping


def ranked(scores: Mapping[str, float]) -> list[str]:
    """Order ids by score, highest first; equal scores by id, highest first.

    The tie rule is trec_eval's (`comp_sim_docno`), so that figures can be compared with published ones.
    """
    return sorted(scores, key=lambda each: (scores[each], each), reverse=True)
