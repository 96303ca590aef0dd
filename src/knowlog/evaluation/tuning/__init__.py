"""Tuning: the search for the profile with which a collection answers a dataset best."""

from knowlog.evaluation.tuning.keeping import (
    apply_tuning,
    cancel_tuning,
    create_tuning,
    delete_tuning,
    get_tuning,
    list_tunings,
)
from knowlog.evaluation.tuning.model import Sought, Trial, Tuning
from knowlog.evaluation.tuning.searching import Tuner

__all__ = [
    "Sought",
    "Trial",
    "Tuner",
    "Tuning",
    "apply_tuning",
    "cancel_tuning",
    "create_tuning",
    "delete_tuning",
    "get_tuning",
    "list_tunings",
]
