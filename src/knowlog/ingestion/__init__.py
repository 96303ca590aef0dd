"""Bytes to text, to chunks, to vectors, stored; and out again."""

from knowlog.ingestion.agreement import QUIET
from knowlog.ingestion.building import Builder, Plan, drop_expired_indexes
from knowlog.ingestion.cutting import Cutter
from knowlog.ingestion.deletion import (
    delete_document,
    delete_whole_collection,
    delete_within,
    get_receipt,
)
from knowlog.ingestion.guarded_blobs import GuardedBlobs
from knowlog.ingestion.indexing import Indexer
from knowlog.ingestion.parsing import Parser
from knowlog.ingestion.rebuilding import Rebuilder
from knowlog.ingestion.rechunking import Rechunker
from knowlog.ingestion.settings import ParsingSettings
from knowlog.ingestion.sweeping import remove_originals, sweep_originals
from knowlog.ingestion.switching import Switch, Switcher, ask_switch, get_switch, roll_back

__all__ = [
    "QUIET",
    "Builder",
    "Cutter",
    "GuardedBlobs",
    "Indexer",
    "Parser",
    "ParsingSettings",
    "Plan",
    "Rebuilder",
    "Rechunker",
    "Switch",
    "Switcher",
    "ask_switch",
    "delete_document",
    "delete_whole_collection",
    "delete_within",
    "drop_expired_indexes",
    "get_receipt",
    "get_switch",
    "remove_originals",
    "roll_back",
    "sweep_originals",
]
