"""Sources and dead letters as nouns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from knowlog.bus import DocumentSubmitted, DocumentWithdrawn
from knowlog.kernel.errors import KnowlogError

SourceKind = Literal["redis", "rabbitmq", "kafka"]
SourceFormat = Literal["cloudevents", "plain"]
SourceState = Literal["active", "paused"]


@dataclass(frozen=True, slots=True)
class Source:
    """A topic whose messages become documents of a collection. `taken`, `repeated` and `dead` count messages since it was
    made; `trouble` says why nothing is read at the moment.
    """

    source_id: UUID
    name: str
    kind: SourceKind
    topic: str
    collection_id: UUID | None
    format: SourceFormat
    mapping: Mapping[str, str]
    state: SourceState
    trouble: str | None
    trouble_since: datetime | None
    taken: int
    repeated: int
    dead: int
    dead_letters: int
    last_message_at: datetime | None
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class NewSource:
    """What a source is to be."""

    name: str
    kind: SourceKind
    topic: str
    collection: str
    format: SourceFormat = "cloudevents"
    mapping: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Inlet:
    """A source as whoever reads it knows it."""

    tenant_id: UUID
    source_id: UUID
    name: str
    kind: SourceKind
    topic: str
    collection_id: UUID | None
    format: SourceFormat
    mapping: Mapping[str, str]
    trouble: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message that fits. `content_hash` tells the same message from another one under its id."""

    producer: str
    message_id: str
    content_hash: bytes
    data: DocumentSubmitted | DocumentWithdrawn

    @property
    def key(self) -> tuple[str, str]:
        """What identifies it within its source."""
        return self.producer, self.message_id


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a message cannot be taken. Its body is `withheld` when it speaks of another tenant."""

    cause: str
    message_id: str | None = None
    withheld: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of some messages: had their effect, had had it before, became dead letters that are new. `messages` is
    how many they were.
    """

    taken: int = 0
    repeated: int = 0
    dead: int = 0
    messages: int = 0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that could not be taken, and why."""

    dead_letter_id: UUID
    source_id: UUID
    source: str
    message_id: str | None
    key: str
    headers: Mapping[str, str]
    cause: str
    size_bytes: int
    withheld: bool
    received_at: datetime
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeadBody:
    """The body of a dead letter: as text where it is UTF-8, else in base64; None where it is withheld."""

    encoding: Literal["utf-8", "base64"] | None
    body: str | None


class SourceLost(KnowlogError):
    """The source was paused, changed or deleted, or another worker reads it now."""

    permanent = False

    def __init__(
        self, detail: str = "The source has changed, or another worker reads it.", **extra: Any
    ) -> None:
        super().__init__(detail, **extra)
