"""Resilience: what a call of something that can be down, slow or lying goes through."""

from knowlog.resilience.adaptive import AdaptiveLimit
from knowlog.resilience.apart import GuardsApart, kinds_apart
from knowlog.resilience.breaker import Breaker, CircuitOpen, State
from knowlog.resilience.deadline import (
    DeadlinePassed,
    begin,
    deadline,
    no_deadline,
    remaining_s,
    time_limit,
    within,
)
from knowlog.resilience.guard import (
    Bulkhead,
    BulkheadFull,
    Dependency,
    Guard,
    Guarded,
    Policy,
    dependencies,
    forget_guard,
    guard_of,
    guarded,
)
from knowlog.resilience.refusals import Refusals
from knowlog.resilience.replies import Bounds, WholeReply, post, post_sync
from knowlog.resilience.retrying import RetryBudget
from knowlog.resilience.settings import ResilienceSettings
from knowlog.resilience.turns import LATER_S, Turn, Turns, leave_turn

__all__ = [
    "LATER_S",
    "AdaptiveLimit",
    "Bounds",
    "Breaker",
    "Bulkhead",
    "BulkheadFull",
    "CircuitOpen",
    "DeadlinePassed",
    "Dependency",
    "Guard",
    "Guarded",
    "GuardsApart",
    "Policy",
    "Refusals",
    "ResilienceSettings",
    "RetryBudget",
    "State",
    "Turn",
    "Turns",
    "WholeReply",
    "begin",
    "deadline",
    "dependencies",
    "forget_guard",
    "guard_of",
    "guarded",
    "kinds_apart",
    "leave_turn",
    "no_deadline",
    "post",
    "post_sync",
    "remaining_s",
    "time_limit",
    "within",
]
