"""What the doctor says of disks: as the server judges them that refuses uploads."""

from pathlib import Path

import pytest

from knowlog.cli.doctor.machine import disks
from knowlog.settings import load_settings


def outcomes(free_mb: int, **settings: str) -> list[tuple[str, str]]:
    found = disks(load_settings({"KNOWLOG_DATA_DIR": "/srv/knowlog", **settings}), lambda _: free_mb)
    return [(each.part, each.outcome) for each in found]


@pytest.mark.parametrize(
    ("free_mb", "least_mb", "outcome"),
    [
        (499, "500", "fail"),
        (501, "500", "warn"),
        (2_001, "500", "ok"),
        (3_000, "5000", "fail"),
        (19_000, "5000", "warn"),
        (190, "0", "fail"),
        (300, "0", "warn"),
    ],
)
def test_the_limit_of_uploads_is_the_doctors_limit(free_mb: int, least_mb: str, outcome: str) -> None:
    """What is refused with 507 is a fault, what will be soon a warning; a full disk is a fault whatever is set."""
    assert outcomes(free_mb, KNOWLOG_DOCUMENTS_MIN_FREE_MB=least_mb) == [("disk", outcome)]


def test_originals_elsewhere_are_looked_at_apart() -> None:
    """The disk of the data has PostgreSQL on it still; a store in a cloud has no disk of ours."""
    assert outcomes(1_900, KNOWLOG_DOCUMENTS_BLOBS="/mnt/originals") == [
        ("disk", "warn"),
        ("disk of the data", "warn"),
    ]
    assert outcomes(5_000, KNOWLOG_DOCUMENTS_BLOBS="s3://originals/x") == [("disk of the data", "ok")]


def test_the_refusal_names_the_setting() -> None:
    """And where to make room."""
    settings = load_settings({"KNOWLOG_DATA_DIR": "/srv/knowlog"})
    (found,) = disks(settings, lambda _: 10)
    assert "KNOWLOG_DOCUMENTS_MIN_FREE_MB" in found.mend
    assert str(Path("/srv/knowlog/blobs")) in found.found
