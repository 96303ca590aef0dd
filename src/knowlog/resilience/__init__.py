"""Resilience: what a call of something that can be down, slow or lying goes through."""

from knowlog.resilience.breaker import Breaker, CircuitOpen, State
from knowlog.resilience.deadline import DeadlinePassed, begin, deadline, remaining_s, time_limit, within
from knowlog.resilience.guard import (
    Bulkhead,
    BulkheadFull,
    Dependency,
    Guard,
    Guarded,
    Policy,
    dependencies,
    guard_of,
    guarded,
)
from knowlog.resilience.retrying import RetryBudget
from knowlog.resilience.settings import ResilienceSettings

__all__ = [
    "Breaker",
    "Bulkhead",
    "BulkheadFull",
    "CircuitOpen",
    "DeadlinePassed",
    "Dependency",
    "Guard",
    "Guarded",
    "Policy",
    "ResilienceSettings",
    "RetryBudget",
    "State",
    "begin",
    "deadline",
    "dependencies",
    "guard_of",
    "guarded",
    "remaining_s",
    "time_limit",
    "within",
]
