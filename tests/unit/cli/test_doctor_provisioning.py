"""What doctor says of provisioning."""

import pytest

from knowlog.cli.doctor.provisioning import judge


@pytest.mark.parametrize(
    ("members", "without_key", "ending", "outcome", "found"),
    [
        (0, 0, 0, "ok", "not in use"),
        (12, 0, 0, "ok", "12 members"),
        (12, 0, 1, "warn", "within two weeks in 1 tenant"),
        (12, 2, 1, "warn", "leavers stay"),
    ],
)
def test_keys_that_are_missing_or_end_are_told(
    members: int, without_key: int, ending: int, outcome: str, found: str
) -> None:
    """Because an identity provider without a key shuts nobody out."""
    row = {"members": members, "without_key": without_key, "ending": ending}
    finding = judge(row)
    assert (finding.outcome, found in finding.found) == (outcome, True)
    assert ("--role provisioner" in finding.mend) == (outcome == "warn")
