"""What a worker says while something is away: once, not every second."""

import logging

from knowlog.edge.telemetry import SaidAlready


def line(text: str, level: int = logging.WARNING, logger: str = "knowlog.worker") -> logging.LogRecord:
    return logging.LogRecord(logger, level, "", 0, text, None, None)


def test_a_warning_that_is_repeated_is_written_once() -> None:
    """Others are written meanwhile; so are errors, and the warnings of other loggers."""
    said = SaidAlready()
    kept = [said.filter(line(text)) for text in ("away", "away", "late", "away", "late")]
    assert kept == [True, False, True, False, False]
    assert all(said.filter(line("broken", logging.ERROR)) for _ in range(2))
    assert all(said.filter(line("a key was made", logger="knowlog.audit")) for _ in range(2))


def test_what_goes_wrong_again_is_said_again() -> None:
    """After a line that says that all was well in between."""
    said = SaidAlready()
    assert said.filter(line("away"))
    assert said.filter(line("it answers again", logging.INFO))
    assert said.filter(line("away"))
