"""The nouns of the bus: event and job."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
AskedState = Literal[JobState, "dead"]
Order = Literal["newest", "oldest"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as a worker takes it. `attempts` counts this one and fences it: a worker whose claim was
    taken over finds another number there. `weight` is its tenant's share of the workers.
    """

    tenant_id: UUID
    event_id: UUID
    type: str
    subject: UUID
    data: dict[str, Any]
    attempts: int
    created_at: datetime
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """The work that an event asks for, as people watch it.

    `document_id`, `collection_id` and `endpoint_id` (of a webhook) are what it is about, as far as it is about such;
    jobs of one `subject` are done one after the other. `due_at` is when the next attempt may begin, and
    `took_ms` how long the last one took; `reason` says why it failed, was put off or was cancelled.
    """

    job_id: UUID
    kind: str
    queue: str
    subject: UUID
    document_id: UUID | None
    collection_id: UUID | None
    endpoint_id: UUID | None
    state: JobState
    attempts: int
    reason: str | None
    created_at: datetime
    due_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    took_ms: int | None


@dataclass(frozen=True, slots=True)
class WantedJobs:
    """Which jobs one wants. `within` are collections: jobs about these or their documents. `dead` are those that failed
    and were not asked for anew. Kinds in `hidden` are left out.
    """

    state: AskedState | None = None
    kind: str | None = None
    subject: UUID | None = None
    within: Collection[UUID] | None = None
    hidden: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """Work of one tenant in one queue, for the operator. `oldest_s` is how long the oldest has waited."""

    tenant_id: UUID
    tenant: str
    weight: int
    queue: str
    waiting: int
    running: int
    failed: int
    oldest_s: float | None
