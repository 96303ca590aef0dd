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
            "1 not read",
        ),
        ([row(dead=3)], "warn", "3 dead letters"),
    ],
)
def test_the_state_of_all_sources_is_one_finding(
    rows: list[dict[str, Any]], outcome: str, words: str
) -> None:
    """With what to do about it."""
    found = judge(rows, [])
    assert (found.outcome, words in found.found) == (outcome, True)
    assert found.mend or outcome == "ok"


def test_sources_are_named_with_those_of_one_cause_together() -> None:
    """Whoever mends must know which they are; a cause is told once."""
    named = [
        {"tenant": "acme", "name": name, "trouble": trouble, "dead": 0}
        for name, trouble in (("a", "Redis is away."), ("b", "No topic."), ("c", "Redis is away."))
    ]
    found = judge([row(active=3, troubled=3)], named)
    assert "3 not read: a of acme, c of acme: Redis is away. b of acme: No topic." in found.found


def test_sources_with_dead_letters_are_named() -> None:
    """Some of many."""
    named = [{"tenant": "t", "name": f"s{n}", "trouble": None, "dead": 1} for n in range(7)]
    assert "(s0 of t, s1 of t, s2 of t, s3 of t, s4 of t and 2 more)" in judge([row(dead=7)], named).found
