"""Patterns by name."""

from typing import get_args

from knowlog.retrieval import PatternName, all_patterns
from knowlog.retrieval.patterns import PATTERNS


def test_every_pattern_can_be_chosen_and_has_the_name_it_is_listed_under() -> None:
    """In a profile, in a call, and in the registry."""
    assert list(get_args(PatternName)) == list(PATTERNS) == [each.name for each in all_patterns()]
