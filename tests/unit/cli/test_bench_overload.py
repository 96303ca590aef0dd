"""Figures of `knowlog bench overload`: what rounds come to together, and where the cores went."""

import os
from collections import Counter
from time import perf_counter

import pytest

from knowlog.cli.bench.overload import _Asked, _figures, _Phase, _Round
from knowlog.cli.bench.process_tree import processor_s, unused_s


def phase(answered: int, ms: float, seconds: float, heavy_ms: float = 1.0) -> _Phase:
    """A phase in which each of five tenants is answered so many questions, and the last one refused as many."""
    asked = [_Asked([ms] * answered, Counter(answered=answered)) for _ in range(4)]
    heavy = _Asked([heavy_ms] * answered, Counter({"answered": answered, "503": answered}))
    return _Phase([*asked, heavy], seconds, {"servers": answered / 100, "idle": 0.0})


def test_rounds_count_together_and_show_how_far_they_are_apart() -> None:
    """A machine that was slow for a while is seen in the lowest and the highest."""
    done = [
        _Round(phase(100, 10, 5), phase(100, 11, 5), (3_000_000, 5_000_000), 0.1),
        _Round(phase(100, 10, 5), phase(80, 11, 5), (5_000_000, 4_048_576), 0.3),
    ]
    figures = _figures(done, 9.0)
    assert figures["goodput_ratio"] == pytest.approx(0.9)
    assert (figures["goodput_ratio_lowest"], figures["goodput_ratio_highest"]) == (0.8, 1.0)
    assert (figures["memory_grown_mb"], figures["recovered_s"]) == (1.0, 0.3)


def test_the_greedy_tenant_is_none_of_the_others() -> None:
    """What it waits says nothing of them, and its share of the answers is told."""
    figures = _figures([_Round(phase(100, 10, 5), phase(100, 11, 5, heavy_ms=500), (0, 0), 0.1)], 9.0)
    assert figures["others_p99_ratio"] == pytest.approx(1.1)
    assert figures["heavy_share"] == pytest.approx(0.2)
    assert figures["refused_503"] == 100
    assert (figures["refused_at_capacity"], figures["servers_cores"]) == (100, 1.0)


def test_processor_time_is_counted_while_one_works() -> None:
    """Of this process as of any other, in seconds."""
    before, unused, began = processor_s(os.getpid()), unused_s(), perf_counter()
    while processor_s(os.getpid()) < before + 0.03:
        sum(range(10_000))
    assert perf_counter() - began < 10
    assert unused_s() >= unused
