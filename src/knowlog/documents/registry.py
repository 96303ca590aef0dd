"""Which blob store a setting means; an adapter is imported when it is chosen."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from knowlog.documents.port import BlobStore
from knowlog.documents.settings import DocumentsSettings

ADAPTERS = {
    "directory": "knowlog.documents.adapters.directory:DirectoryBlobStore",
    "s3": "knowlog.documents.adapters.s3:S3BlobStore",
}


def open_blob_store(settings: DocumentsSettings, data_dir: Path) -> BlobStore:
    """Open the blob store that the settings name. Raises Misconfigured."""
    folder = directory_of_originals(settings, data_dir)
    if folder is None:
        return _load("s3")(settings.blobs)
    return _load("directory")(folder, settings.min_free_mb * 1024 * 1024)


def directory_of_originals(settings: DocumentsSettings, data_dir: Path) -> Path | None:
    """The folder in which original bytes are kept; None where a store elsewhere has them."""
    if settings.blobs.startswith("s3://"):
        return None
    return data_dir / "blobs" if settings.blobs == "directory" else Path(settings.blobs)


def _load(name: str) -> Callable[..., BlobStore]:
    module, _, attribute = ADAPTERS[name].partition(":")
    adapter: Callable[..., BlobStore] = getattr(import_module(module), attribute)
    return adapter
