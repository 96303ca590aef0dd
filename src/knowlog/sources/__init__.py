"""Sources: documents that come in by messages of the user's brokers, each once, and the dead letters among them."""

from knowlog.sources.actions import (
    active_sources,
    create_source,
    delete_source,
    forget_inbox,
    get_source,
    hold_source,
    in_words,
    list_sources,
    note_trouble,
    release_source,
    source_health,
    update_source,
)
from knowlog.sources.dead import dead_body, delete_dead_letter, get_dead_letter, list_dead_letters
from knowlog.sources.inbox import Inbox, scope_of
from knowlog.sources.model import (
    DeadBody,
    DeadLetter,
    Inlet,
    NewSource,
    Source,
    SourceFormat,
    SourceKind,
    SourceLost,
    SourceState,
    Taken,
)
from knowlog.sources.settings import SourcesSettings

__all__ = [
    "DeadBody",
    "DeadLetter",
    "Inbox",
    "Inlet",
    "NewSource",
    "Source",
    "SourceFormat",
    "SourceKind",
    "SourceLost",
    "SourceState",
    "SourcesSettings",
    "Taken",
    "active_sources",
    "create_source",
    "dead_body",
    "delete_dead_letter",
    "delete_source",
    "forget_inbox",
    "get_dead_letter",
    "get_source",
    "hold_source",
    "in_words",
    "list_dead_letters",
    "list_sources",
    "note_trouble",
    "release_source",
    "scope_of",
    "source_health",
    "update_source",
]
