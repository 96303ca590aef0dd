"""What a check finds."""

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: how it is, and how to mend it where it is not in order."""

    part: str
    outcome: Outcome
    found: str
    mend: str = ""


def ok(part: str, found: str) -> Finding:
    """In order."""
    return Finding(part, "ok", found)


def warn(part: str, found: str, mend: str) -> Finding:
    """It works, and something should be done."""
    return Finding(part, "warn", found, mend)


def fail(part: str, found: str, mend: str) -> Finding:
    """It does not work until something is done."""
    return Finding(part, "fail", found, mend)
