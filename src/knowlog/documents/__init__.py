"""Collections, documents, versions and chunks as nouns; who may see them; taking documents in."""

from knowlog.documents.actions import (
    Original,
    TextSlice,
    count_states,
    document_original,
    document_text,
    dump_structure,
    get_document,
    get_documents,
    list_documents,
    load_structure,
    patch_document,
    retry_document,
)
from knowlog.documents.aging import documents_by_url, documents_older_than
from knowlog.documents.collections import (
    create_collection,
    delete_collection,
    get_collection,
    list_collections,
    resolve_collections,
    update_collection,
    within,
)
from knowlog.documents.jobs import cancel_job, retry_dead_jobs, retry_job
from knowlog.documents.model import (
    Collection,
    DeletionReceipt,
    Document,
    DocumentState,
    Heading,
    Page,
    PageStart,
    ParsedText,
    Profile,
    Received,
    Structure,
    Upload,
)
from knowlog.documents.port import BlobStore
from knowlog.documents.receiving import Receiver, check_metadata
from knowlog.documents.registry import open_blob_store
from knowlog.documents.settings import DocumentsSettings

__all__ = [
    "BlobStore",
    "Collection",
    "DeletionReceipt",
    "Document",
    "DocumentState",
    "DocumentsSettings",
    "Heading",
    "Original",
    "Page",
    "PageStart",
    "ParsedText",
    "Profile",
    "Received",
    "Receiver",
    "Structure",
    "TextSlice",
    "Upload",
    "cancel_job",
    "check_metadata",
    "count_states",
    "create_collection",
    "delete_collection",
    "document_original",
    "document_text",
    "documents_by_url",
    "documents_older_than",
    "dump_structure",
    "get_collection",
    "get_document",
    "get_documents",
    "list_collections",
    "list_documents",
    "load_structure",
    "open_blob_store",
    "patch_document",
    "resolve_collections",
    "retry_dead_jobs",
    "retry_document",
    "retry_job",
    "update_collection",
    "within",
]
