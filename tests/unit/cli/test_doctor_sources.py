"""What the doctor says of sources."""

from typing import Any

import pytest

from knowlog.cli.doctor.sources import judge


def row(**given: Any) -> dict[str, Any]:
    return {"kind": "redis", "active": 1, "troubled": 0, "trouble": None, "dead": 0, **given}


@pytest.mark.parametrize(
    ("rows", "outcome", "words"),
    [
        ([], "ok", "none"),
        ([row(active=2)], "ok", "2 active, 0 dead letters"),
        (
            [row(), row(troubled=1, trouble="Kafka has no topic 'x'.")],
            "warn",
            "1 not read: Kafka has no topic",
        ),
        ([row(dead=3)], "warn", "3 dead letters"),
    ],
)
def test_the_state_of_all_sources_is_one_finding(
    rows: list[dict[str, Any]], outcome: str, words: str
) -> None:
    """With what to do about it."""
    found = judge(rows)
    assert (found.outcome, words in found.found) == (outcome, True)
    assert found.mend or outcome == "ok"
