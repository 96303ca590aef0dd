"""The nouns of documents. Offsets are code points of the version's text; spans are half open: [start, end)."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from knowlog.documents.content import Content


@dataclass(frozen=True, slots=True)
class Page:
    """One page (or slide, or sheet) of a version: its number, counted from 1, and its span of the text."""

    number: int
    start: int
    end: int


class PageStart(NamedTuple):
    """A page that a span touches: its number, and the offset of the text at which it begins within the span."""

    number: int
    start: int


class Section(NamedTuple):
    """What stands under a heading: the offset at which that begins, and the headings above it, outermost first."""

    start: int
    headings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading at offset `start` of the text; `level` 1 is the outermost."""

    level: int
    title: str
    start: int


class Grid(NamedTuple):
    """A sheet as a table of the text, which begins at code point `start`: its first line is row `row` of the sheet, its
    first cell is in column `column`, both from 1. `name` is the sheet's; empty where a file has one without a name.
    """

    name: str
    start: int
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Structure:
    """Pages, headings and sheets of a text, each ordered by start."""

    pages: tuple[Page, ...] = ()
    headings: tuple[Heading, ...] = ()
    grids: tuple[Grid, ...] = ()

    def page_at(self, offset: int) -> int | None:
        """Return the number of the page that holds `offset`, or None in a text without pages."""
        index = bisect_right(self.pages, offset, key=lambda page: page.start) - 1
        return self.pages[index].number if index >= 0 else None

    def pages_within(self, start: int, end: int) -> tuple[PageStart, ...]:
        """Return the pages that have text in the span [start, end), in order."""
        first = max(0, bisect_right(self.pages, start, key=lambda page: page.start) - 1)
        after_last = bisect_left(self.pages, end, key=lambda page: page.start)
        return tuple(
            PageStart(page.number, max(page.start, start))
            for page in self.pages[first:after_last]
            if page.start < page.end and page.end > start
        )

    def headings_at(self, offset: int) -> tuple[str, ...]:
        """Return the titles of the headings above `offset`, outermost first."""
        path: list[Heading] = []
        for index in range(
            bisect_right(self.headings, offset, key=lambda heading: heading.start) - 1, -1, -1
        ):
            heading = self.headings[index]
            if not path or heading.level < path[-1].level:
                path.append(heading)
            if heading.level <= 1:
                break
        return tuple(heading.title for heading in reversed(path))

    def sections_within(self, start: int, end: int) -> tuple[Section, ...]:
        """Return the sections that begin behind `start` and before `end`."""
        first = bisect_right(self.headings, start, key=lambda heading: heading.start)
        starts = [heading.start for heading in self.headings[first:] if heading.start < end]
        return tuple(Section(offset, self.headings_at(offset)) for offset in dict.fromkeys(starts))


@dataclass(frozen=True, slots=True)
class ParsedText:
    """What a parser makes of a file: its text, where pages and headings lie in it, and its own title if it has one."""

    text: str
    structure: Structure = field(default_factory=Structure)
    title: str | None = None
    media_type: str = "text/plain"


UNNAMED_TEXT, UNNAMED = "text.txt", "document"
"""The filenames of what came without a name: of plain text, and of everything else."""

DocumentState = Literal["received", "parsing", "embedding", "indexed", "failed"]


class Profile(BaseModel):
    """How a collection is chunked, retrieved and answered. Each section belongs to the room of that name, which checks
    it and fills in its defaults; here they are only kept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chunking: dict[str, Any] = {}
    retrieval: dict[str, Any] = {}
    answering: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Building:
    """Vectors made under a key beside the one that answers: of how many of the chunks, and what is in the way."""

    key: str
    done: int
    total: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding key that answers a collection's questions, None before anything is embedded; and the next one."""

    key: str | None = None
    building: Building | None = None


@dataclass(frozen=True, slots=True)
class Rechunking:
    """Documents that are cut anew because the profile's chunking has changed: how many of all have their new chunks, and
    how many have failed and keep their older ones.
    """

    done: int
    total: int
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Collection:
    """A named set of documents with one profile.

    `profile_version` counts the profile's changes; `revision` counts those of the name too, for If-Match. `rechunking`
    is None when all documents have the chunks of this profile.
    """

    collection_id: UUID
    name: str
    profile: Profile
    profile_version: int
    revision: int
    created_at: datetime
    updated_at: datetime
    document_count: int = 0
    embedding: Embedding = field(default_factory=Embedding)
    rechunking: Rechunking | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A source with a stable identity: its collection and external id.

    `version` is the one that answers questions (None before the first is indexed), `latest` the newest received; state,
    reason, attempts, size and filename speak of the latest. `revision` counts every change, for If-Match.
    """

    document_id: UUID
    collection_id: UUID
    collection: str
    external_id: str
    title: str
    metadata: dict[str, Any]
    version: int | None
    latest: int
    state: DocumentState
    reason: str | None
    attempts: int
    revision: int
    filename: str
    media_type: str | None
    size_bytes: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it comes in. `title` None: the parser's, else the file's name. `metadata` None: left as it is.
    `audience` None: who may see it is left as it is, for a new one to its collection.
    """

    external_id: str
    filename: str
    content: Content
    media_type: str | None = None
    title: str | None = None
    metadata: dict[str, Any] | None = None
    audience: frozenset[UUID] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an upload. `job_id` is where its indexing can be watched; None when the bytes were there already.

    `relabelled`: the bytes were there, and title or metadata have changed.
    """

    document: Document
    outcome: Literal["created", "updated", "relabelled", "unchanged"]
    job_id: UUID | None


@dataclass(frozen=True, slots=True)
class CollectionReceipt:
    """What deleting a collection removed, and the searches that prove it."""

    collection_id: UUID
    name: str
    documents: int
    versions: int
    chunks: int
    vectors: int
    size_bytes: int
    proof: dict[str, Any]
    deleted_by: str
    deleted_at: datetime
    summaries: int = 0
    thread_quotes: int = 0


@dataclass(frozen=True, slots=True)
class DeletionReceipt:
    """What a deletion removed, and the searches that prove it. `thread_quotes`: quotes in people's conversations."""

    receipt_id: UUID
    document_id: UUID
    external_id: str
    collection: str
    versions: int
    chunks: int
    vectors: int
    size_bytes: int
    proof: dict[str, Any]
    deleted_by: str
    deleted_at: datetime
    summaries: int = 0
    thread_quotes: int = 0
