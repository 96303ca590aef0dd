"""Chunking strategies by name. A strategy is one file with one function `split`."""

from importlib import import_module
from typing import cast

from knowlog.chunking.model import Strategy
from knowlog.kernel.errors import Invalid

STRATEGIES: dict[str, str] = {
    "recursive": "knowlog.chunking.strategies.recursive.split",
}


def strategy(name: str) -> Strategy:
    """Return the strategy of that name; Invalid for a name that none has."""
    if name not in STRATEGIES:
        raise Invalid(f"There is no chunking strategy {name!r}. Choose one of: {', '.join(STRATEGIES)}.")
    module, _, function = STRATEGIES[name].rpartition(".")
    return cast(Strategy, getattr(import_module(module), function))
