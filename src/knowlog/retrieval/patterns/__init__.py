"""Ways from a question to passages, by name. A pattern is one file with one class."""

from knowlog.retrieval.patterns.port import Pattern
from knowlog.retrieval.patterns.registry import PATTERNS, all_patterns, open_pattern, require_pattern

__all__ = ["PATTERNS", "Pattern", "all_patterns", "open_pattern", "require_pattern"]
