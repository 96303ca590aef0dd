"""The one catalogue of event types: what each is called, what its data hold, and which workers act on it.

A type here is a contract with whoever follows the events. Its schema is published in schemas/<type>.v<version>.json,
and tests/house/test_events.py refuses a change that would break a reader. To add a type: a model, and a line in _TYPES.
To change one so that readers break: a new model, and `version` raised; the old file stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import GenerateJsonSchema

from knowlog.kernel.errors import InternalError, Invalid
from knowlog.kernel.wording import wrong_with


class EventData(BaseModel):
    """What an event says. Strict about types; members that it does not know are passed over when it is read, since a
    newer process may have added some. `internal` are members for our own workers, which no reader is shown.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")
    internal: ClassVar[frozenset[str]] = frozenset()


_Id = Annotated[UUID, Field(strict=False)]  # as a UUID, or as text: so it comes back from the database
_Version = Annotated[int, Field(ge=1, description="Version of the document that this is about.")]
_Originals = Annotated[list[str], Field(description="Keys of the original bytes that a worker removes.")]


class _OfCollection(EventData):
    collection_id: _Id | None = Field(None, description="Id of the collection, as far as it is known.")


class DocumentReceived(_OfCollection):
    """A version of a document was taken in and waits to be indexed."""

    version: _Version
    size_bytes: int = Field(ge=0, description="Size of the original.")


class DocumentReplaced(_OfCollection):
    """A version of a document has given way to a newer one."""

    internal: ClassVar[frozenset[str]] = frozenset({"blobs"})
    blobs: _Originals = []


class DocumentDeleted(_OfCollection):
    """A document was deleted, with all that hung on it."""

    internal: ClassVar[frozenset[str]] = frozenset({"blobs"})
    blobs: _Originals = []


class CollectionDeleted(_OfCollection):
    """A collection was deleted with all its documents; there is no event for each of those."""

    internal: ClassVar[frozenset[str]] = frozenset({"blobs"})
    name: str = Field(description="What the collection was called.")
    blobs: _Originals = []


class DocumentIndexed(_OfCollection):
    """A version of a document answers questions from now on."""

    version: _Version
    chunks: int = Field(ge=0, description="Number of chunks that it was cut into.")


class DocumentFailed(_OfCollection):
    """A version of a document could not be indexed; an older one, if there is one, goes on answering."""

    version: _Version
    reason: str = Field(description="What went wrong, in a sentence for a person.")


class DocumentAccessChanged(_OfCollection):
    """Others than before may see a document: its own list was changed. Whoever may not any more is not told."""


class CollectionAccessChanged(_OfCollection):
    """Others than before may see a collection, and the documents in it that have no list of their own."""


class WebhookDisabled(EventData):
    """A webhook gets nothing any more: its endpoint failed for too long, or told us to stop."""

    reason: str = Field(description="Why, in a sentence for a person.")


class WebhookTested(EventData):
    """Somebody asked for an event to be sent to one webhook, to try it out. No other webhook gets it."""


class DeliveryRequested(EventData):
    """An event is to be sent to a webhook."""

    endpoint_id: _Id = Field(description="Id of the webhook.")
    event_id: _Id = Field(description="Id of the event.")
    event_type: str = Field(description="Type of the event.")


class CollectionRechunked(_OfCollection):
    """The documents of a collection were cut anew, because the chunking of its profile had changed."""

    collection_id: _Id = Field(description="Id of the collection.")
    document_count: int = Field(ge=0, description="Number of documents that have their new chunks.")
    left_count: int = Field(
        ge=0, description="How many kept their older chunks: they failed, or their job was cancelled."
    )


class MailRequested(EventData):
    """A person is to be mailed."""

    letter: str = Field(description="What the mail is about: invitation, reset, or a notice. Never a secret.")


class RefreshRequested(_OfCollection):
    """The documents of a collection that came from a URL are to be fetched again."""

    internal: ClassVar[frozenset[str]] = frozenset({"after"})
    collection_id: _Id = Field(description="Id of the collection.")
    schedule_id: _Id | None = Field(None, description="Id of the schedule that asked for it.")
    after: _Id | None = Field(None, description="The document behind which a long list goes on.")


class CollectionRefreshed(_OfCollection):
    """Documents of a collection were fetched again, up to 200 at a time."""

    collection_id: _Id = Field(description="Id of the collection.")
    document_count: int = Field(ge=0, description="Number of documents that were looked at.")
    updated_count: int = Field(ge=0, description="How many of them had other bytes.")
    unreachable_count: int = Field(
        ge=0, description="How many of them could not be fetched; they stay as they are."
    )


class EvaluationRequested(_OfCollection):
    """A collection is to be measured on a dataset; the subject is the run."""

    collection_id: _Id = Field(description="Id of the collection.")
    dataset_id: _Id = Field(description="Id of the dataset.")


class TuningRequested(_OfCollection):
    """A better profile is to be sought for a collection; the subject is the tuning."""

    collection_id: _Id = Field(description="Id of the collection.")
    dataset_id: _Id = Field(description="Id of the dataset.")


class SummaryRequested(_OfCollection):
    """A summary is to be made, or made anew; the subject is the summary."""

    collection_id: _Id = Field(description="Id of the collection.")


class SummaryBatchRequested(_OfCollection):
    """Each document of a collection is to be summarized; the subject is the batch."""

    collection_id: _Id = Field(description="Id of the collection.")


class SwitchRequested(_OfCollection):
    """A collection is to change to another index and profile; the subject is the switch."""

    collection_id: _Id = Field(description="Id of the collection.")


class CollectionSwitched(_OfCollection):
    """A collection answers by another profile, and by an index that was built for it beside the old one."""

    collection_id: _Id = Field(description="Id of the collection.")
    profile_version: int = Field(ge=1, description="Version of the profile by which it answers now.")


class RetentionRequested(_OfCollection):
    """The documents of a collection whose content is older than some days are to be deleted."""

    collection_id: _Id = Field(description="Id of the collection.")
    schedule_id: _Id | None = Field(None, description="Id of the schedule that asked for it.")
    older_than_days: int = Field(ge=1, le=36500, description="Age of the content in days.")


_ExternalId = Annotated[
    str, Field(min_length=1, max_length=2000, description="Identity of the document within the collection.")
]


class DocumentSubmitted(EventData):
    """A document comes in, new or in a new version. Of text, content_base64 and url exactly one is given."""

    external_id: _ExternalId
    text: str | None = Field(None, min_length=1, description="The document's text.")
    content_base64: str | None = Field(None, min_length=1, description="The bytes of a file, in base64.")
    url: str | None = Field(
        None, min_length=1, max_length=2000, description="Address from which the document is fetched, once."
    )
    title: str | None = Field(
        None, min_length=1, max_length=1000, description="Title; without it, the document's own."
    )
    metadata: dict[str, Any] | None = Field(
        None, description="What documents are filtered by; without it, it stays as it is."
    )
    filename: str | None = Field(
        None, min_length=1, max_length=1000, description="Name of the file, by which its format is told."
    )
    media_type: str | None = Field(
        None, min_length=1, max_length=200, description="Media type of the content, such as application/pdf."
    )

    @model_validator(mode="after")
    def _has_one_content(self) -> Self:
        if sum(each is not None for each in (self.text, self.content_base64, self.url)) != 1:
            raise ValueError("must have exactly one of text, content_base64 and url")
        return self


class DocumentWithdrawn(EventData):
    """A document is to be deleted. One that is not there is no error."""

    external_id: _ExternalId


@dataclass(frozen=True, slots=True)
class EventType:
    """A kind of event. `queue` names the workers' queue when the event asks for work; None: it is a record only.

    What removes the bytes of something that is deleted already is not `cancellable`: the deletion was promised. An
    `inner` type is for our own workers alone: it is not published, and the log does not list it. What only admins ask
    for, `of_admins`, is nobody else's to see or change.
    """

    name: str
    data: type[EventData]
    queue: str | None = None
    version: int = 1
    cancellable: bool = True
    inner: bool = False
    of_admins: bool = False

    @property
    def description(self) -> str:
        """What has happened, in a sentence."""
        return " ".join((self.data.__doc__ or "").split())

    @property
    def key(self) -> str:
        """Identifies the schema: `dataschema` of an envelope and `$id` of the published file."""
        return schema_key(self.name, self.version)

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the data as readers see them."""
        made = self.data.model_json_schema(schema_generator=_Schema)
        for name in self.data.internal:
            del made["properties"][name]
        made.pop("title")
        return {"$schema": _Schema.schema_dialect, "$id": self.key, "title": self.name} | made


class _Schema(GenerateJsonSchema):
    """Without titles made from names: they say nothing."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


_TYPES = (
    EventType("document.received", DocumentReceived, queue="documents"),
    EventType("document.replaced", DocumentReplaced, queue="cleanup", cancellable=False),
    EventType("document.deleted", DocumentDeleted, queue="cleanup", cancellable=False),
    EventType("document.indexed", DocumentIndexed),
    EventType("document.failed", DocumentFailed),
    EventType("document.access_changed", DocumentAccessChanged),
    EventType("collection.deleted", CollectionDeleted, queue="cleanup", cancellable=False),
    EventType("collection.refreshed", CollectionRefreshed),
    EventType("collection.rechunked", CollectionRechunked),
    EventType("collection.switched", CollectionSwitched),
    EventType("collection.access_changed", CollectionAccessChanged),
    EventType("refresh.requested", RefreshRequested, queue="refresh", of_admins=True),
    EventType("retention.requested", RetentionRequested, queue="cleanup", of_admins=True),
    EventType("evaluation.requested", EvaluationRequested, queue="evaluation", inner=True, of_admins=True),
    EventType("tuning.requested", TuningRequested, queue="evaluation", inner=True, of_admins=True),
    EventType("summary.requested", SummaryRequested, queue="summaries", inner=True, of_admins=True),
    EventType(
        "summary_batch.requested", SummaryBatchRequested, queue="summaries", inner=True, of_admins=True
    ),
    EventType("switch.requested", SwitchRequested, queue="evaluation", inner=True, of_admins=True),
    EventType("webhook.disabled", WebhookDisabled, of_admins=True),
    EventType("webhook.tested", WebhookTested, of_admins=True),
    EventType("delivery.requested", DeliveryRequested, queue="deliveries", inner=True, of_admins=True),
    EventType("mail.requested", MailRequested, queue="mail", inner=True, of_admins=True),
)
_EVERY: dict[str, EventType] = {each.name: each for each in _TYPES}
CATALOGUE: dict[str, EventType] = {each.name: each for each in _TYPES if not each.inner}
OF_ADMINS: frozenset[str] = frozenset(each.name for each in _TYPES if each.of_admins)
"""Types that are hidden from readers and editors: in the log, and as jobs."""
INCOMING: dict[str, EventType] = {
    each.name: each
    for each in (
        EventType("document.submitted", DocumentSubmitted),
        EventType("document.withdrawn", DocumentWithdrawn),
    )
}
"""What others send us through sources. Never written to the log: what comes of it is."""
QUEUES: dict[str, str] = {each.name: each.queue for each in _TYPES if each.queue}
"""Which queue the events of a type are work of. Types that are not here are records only."""


def schema_key(name: str, version: int) -> str:
    """The identifier of a schema, such as urn:knowlog:event:document.indexed:1."""
    return f"urn:knowlog:event:{name}:{version}"


def event_type(name: str) -> EventType:
    """Look a type up. Raises Invalid when there is none."""
    if name not in _EVERY:
        raise Invalid(f"There is no event type {name!r:.100}. Known are: {', '.join(CATALOGUE)}.")
    return _EVERY[name]


def validated(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Check the data of an event that is about to be written; returns them as JSON can hold them.

    Raises InternalError naming type and field: only our own code writes events.
    """
    if name not in _EVERY:
        raise InternalError(f"There is no event type {name!r}: add it to the catalogue of events.")
    model = _EVERY[name].data
    if unknown := sorted(data.keys() - model.model_fields.keys()):
        raise InternalError(
            f"The data of {name} have no member {unknown[0]!r}: the catalogue does not name it."
        )
    try:
        checked = model.model_validate(dict(data))
    except ValidationError as error:
        raise InternalError(f"The data of {name} do not fit the catalogue: {misfit(error)}.") from error
    return checked.model_dump(mode="json", exclude_unset=True)


def readable(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader of the event is shown: the data without the members for our own workers."""
    known = _EVERY.get(name)
    internal = known.data.internal if known else frozenset()
    return {member: value for member, value in data.items() if member not in internal}


def check_fit(name: str, raw: bytes) -> None:
    """Check data that came from elsewhere, as JSON. Raises Invalid, naming type and field."""
    try:
        event_type(name).data.model_validate_json(raw)
    except ValidationError as error:
        raise Invalid(f"The data do not fit {name}: {misfit(error)}.") from error


def misfit(error: ValidationError) -> str:
    """Name the first member that does not fit, and say what is wrong with it."""
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'data'} {wrong_with(first)}"
