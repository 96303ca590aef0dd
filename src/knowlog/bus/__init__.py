"""Events, and the outbox that is also the queue of work."""

from knowlog.bus.actions import (
    LeaseLost,
    append_events,
    cancel,
    complete,
    fail,
    get_job,
    latest_job_of,
    list_jobs,
    notify_progress,
    release,
    retry,
)
from knowlog.bus.asyncapi import describe_events
from knowlog.bus.catalogue import CATALOGUE, QUEUES, EventType, event_type, queue_of, validated
from knowlog.bus.claiming import Turn, announce, claim, claim_announced, keep_leases
from knowlog.bus.envelope import (
    CONTENT_TYPE,
    Envelope,
    Shelf,
    envelope_of,
    pack,
    pack_within,
    unpack,
    with_claimed,
)
from knowlog.bus.log import Order, Wanted, forget_events, get_event, list_events, present
from knowlog.bus.model import Event, Job, JobState
from knowlog.bus.port import Broker, Delivery, Message, Subscription
from knowlog.bus.publishing import published_schema
from knowlog.bus.registry import connect_broker, open_broker
from knowlog.bus.settings import BusSettings, WorkerSettings

__all__ = [
    "CATALOGUE",
    "CONTENT_TYPE",
    "QUEUES",
    "Broker",
    "BusSettings",
    "Delivery",
    "Envelope",
    "Event",
    "EventType",
    "Job",
    "JobState",
    "LeaseLost",
    "Message",
    "Order",
    "Shelf",
    "Subscription",
    "Turn",
    "Wanted",
    "WorkerSettings",
    "announce",
    "append_events",
    "cancel",
    "claim",
    "claim_announced",
    "complete",
    "connect_broker",
    "describe_events",
    "envelope_of",
    "event_type",
    "fail",
    "forget_events",
    "get_event",
    "get_job",
    "keep_leases",
    "latest_job_of",
    "list_events",
    "list_jobs",
    "notify_progress",
    "open_broker",
    "pack",
    "pack_within",
    "present",
    "published_schema",
    "queue_of",
    "release",
    "retry",
    "unpack",
    "validated",
    "with_claimed",
]
