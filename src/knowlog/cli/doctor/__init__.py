"""`knowlog doctor`: is every part in order, and if not, how is it mended. One file per part."""

from knowlog.cli.doctor.command import doctor
from knowlog.cli.doctor.model import Finding, Outcome

__all__ = ["Finding", "Outcome", "doctor"]
