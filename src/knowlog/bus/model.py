"""The nouns of the bus: event and job."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

JobState = Literal["waiting", "running", "done", "failed", "cancelled"]


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
    """The work that an event asks for, as people watch it."""

    job_id: UUID
    kind: str
    document_id: UUID
    state: JobState
    attempts: int
    reason: str | None
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
