"""What the doctor says of mail."""

import pytest

from knowlog.cli.doctor.mail import check_mail
from knowlog.settings import load_settings


@pytest.mark.parametrize(
    ("environ", "outcome"),
    [
        ({}, "ok"),
        ({"KNOWLOG_DATABASE_URL": "postgresql://knowlog@db.example/knowlog"}, "warn"),
        ({"KNOWLOG_API_HOST": "0.0.0.0"}, "warn"),
        ({"KNOWLOG_API_PUBLIC_URL": "https://knowlog.example"}, "warn"),
    ],
)
async def test_mail_on_the_console_is_for_development(environ: dict[str, str], outcome: str) -> None:
    """Where others reach the server, or it has a database of its own, the links in it would lie in a log."""
    (finding,) = [each async for each in check_mail(load_settings(environ))]
    assert finding.outcome == outcome
    assert "console" in finding.found
