"""What doctor says of conversations, summaries and tenants' own language models."""

import pytest

from knowlog.cli.doctor.own_models import judge as judge_models
from knowlog.cli.doctor.summaries import judge as judge_summaries
from knowlog.cli.doctor.threads import judge as judge_threads


@pytest.mark.parametrize(
    ("overdue", "overdue_s", "cleaned_s", "outcome"),
    [(0, 0, None, "ok"), (0, 0, 3000, "ok"), (2, 1800, 3000, "ok"), (2, 9000, 3000, "warn"), (0, 0, 9000, "warn")],
)  # fmt: skip
def test_threads_that_outlive_their_term_are_told(
    overdue: int, overdue_s: float, cleaned_s: float | None, outcome: str
) -> None:
    """And workers that do not look for them; what waits for the hour is as it should be."""
    row = {"threads": 7, "overdue": overdue, "overdue_s": overdue_s, "cleaned_s": cleaned_s}
    finding = judge_threads(row, 30)
    assert finding.outcome == outcome
    assert finding.found.startswith("7 threads, each kept for 30 days")
    assert ("knowlog worker" in finding.mend) == (outcome == "warn")


@pytest.mark.parametrize(
    ("changes", "outcome", "told"),
    [
        ({}, "ok", "9 summaries, 3 waiting"),
        ({"oldest_s": 700}, "warn", "for 700 s"),
        ({"failed": 2}, "warn", "2 of them failed"),
        ({"batches_failed": 1}, "warn", "1 of the batches"),
        ({"outdated": 4}, "warn", "4 outdated"),
    ],
)
def test_summaries_that_are_not_made_are_told(changes: dict[str, int], outcome: str, told: str) -> None:
    """Each with what is to be done."""
    row = {"summaries": 9, "waiting": 3, "oldest_s": 5, "failed": 0, "outdated": 0, "batches_failed": 0}
    finding = judge_summaries(row | changes)
    assert (finding.outcome, told in finding.found, bool(finding.mend)) == (outcome, True, outcome == "warn")


def test_addresses_that_may_not_be_asked_are_told_by_their_host() -> None:
    """With how many tenants have one there, and nothing of the path."""
    url = "https://models.example/secret-path"
    (finding,) = judge_models({url: 2, "https://other.example": 1}, {url: "It stands inside."})
    assert "2 tenants" in finding.found
    assert "models.example" in finding.found
    assert "secret-path" not in finding.found
    (fine,) = judge_models({url: 2}, {})
    assert (fine.outcome, fine.found[:9]) == ("ok", "2 tenants")
