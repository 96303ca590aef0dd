"""Bytes to text, to chunks, to vectors, stored; and out again."""

from knowlog.ingestion.agreement import QUIET
from knowlog.ingestion.deletion import (
    delete_document,
    delete_whole_collection,
    delete_within,
    get_receipt,
)
from knowlog.ingestion.indexing import Indexer
from knowlog.ingestion.parsing import Parser
from knowlog.ingestion.rebuilding import Rebuilder
from knowlog.ingestion.rechunking import Rechunker
from knowlog.ingestion.settings import ParsingSettings
from knowlog.ingestion.sweeping import remove_originals, sweep_originals

__all__ = [
    "QUIET",
    "Indexer",
    "Parser",
    "ParsingSettings",
    "Rebuilder",
    "Rechunker",
    "delete_document",
    "delete_whole_collection",
    "delete_within",
    "get_receipt",
    "remove_originals",
    "sweep_originals",
]
