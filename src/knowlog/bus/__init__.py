"""Events, and the outbox that is also the queue of work."""

from knowlog.bus.actions import (
    HANDLED,
    LeaseLost,
    append_events,
    claim,
    complete,
    extend,
    fail,
    get_job,
    latest_job_of,
    list_jobs,
    notify_progress,
    release,
    retry,
)
from knowlog.bus.model import Event, Job, JobState
from knowlog.bus.settings import WorkerSettings

__all__ = [
    "HANDLED",
    "Event",
    "Job",
    "JobState",
    "LeaseLost",
    "WorkerSettings",
    "append_events",
    "claim",
    "complete",
    "extend",
    "fail",
    "get_job",
    "latest_job_of",
    "list_jobs",
    "notify_progress",
    "release",
    "retry",
]
