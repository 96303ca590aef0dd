"""Threads: conversations of one member or key, kept with answers and citations; nobody else reads them."""

from knowlog.threads.actions import (
    MOST_THREADS,
    MOST_TURNS,
    add_turn,
    create_thread,
    delete_thread,
    get_thread,
    history_of,
    list_threads,
    rename_thread,
    turns_of,
)
from knowlog.threads.markdown import as_markdown
from knowlog.threads.model import GONE, Made, Thread, Turn
from knowlog.threads.settings import ThreadsSettings

__all__ = [
    "GONE",
    "MOST_THREADS",
    "MOST_TURNS",
    "Made",
    "Thread",
    "ThreadsSettings",
    "Turn",
    "add_turn",
    "as_markdown",
    "create_thread",
    "delete_thread",
    "get_thread",
    "history_of",
    "list_threads",
    "rename_thread",
    "turns_of",
]
