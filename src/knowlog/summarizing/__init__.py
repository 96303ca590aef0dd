"""Documents to a summary, with citations: of exact quotes, or written by a model and verified."""

from knowlog.summarizing.batches import ask_batch, cancel_batch, get_batch, list_batches, resume_batch
from knowlog.summarizing.extractive import extract
from knowlog.summarizing.keeping import (
    ask_summary,
    delete_summary,
    get_summary,
    list_summaries,
    renew_summary,
)
from knowlog.summarizing.making import Means
from knowlog.summarizing.model import (
    LONGEST,
    SHORTEST,
    Batch,
    Budget,
    Form,
    Length,
    Mode,
    Span,
    Summary,
    Unit,
    Wanted,
    words,
)
from knowlog.summarizing.reading import Source, quotables
from knowlog.summarizing.wishes import checked
from knowlog.summarizing.working import Batcher, Summarizer

__all__ = [
    "LONGEST",
    "SHORTEST",
    "Batch",
    "Batcher",
    "Budget",
    "Form",
    "Length",
    "Means",
    "Mode",
    "Source",
    "Span",
    "Summarizer",
    "Summary",
    "Unit",
    "Wanted",
    "ask_batch",
    "ask_summary",
    "cancel_batch",
    "checked",
    "delete_summary",
    "extract",
    "get_batch",
    "get_summary",
    "list_batches",
    "list_summaries",
    "quotables",
    "renew_summary",
    "resume_batch",
    "words",
]
