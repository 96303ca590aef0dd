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
from knowlog.bus.port import Broker, Delivery, Message, Subscription
from knowlog.bus.registry import connect_broker, open_broker
from knowlog.bus.settings import BusSettings, WorkerSettings

__all__ = [
    "HANDLED",
    "Broker",
    "BusSettings",
    "Delivery",
    "Event",
    "Job",
    "JobState",
    "LeaseLost",
    "Message",
    "Subscription",
    "WorkerSettings",
    "append_events",
    "claim",
    "complete",
    "connect_broker",
    "extend",
    "fail",
    "get_job",
    "latest_job_of",
    "list_jobs",
    "notify_progress",
    "open_broker",
    "release",
    "retry",
]
