"""Python, the data directory, the operator key, tesseract."""

import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.documents import directory_of_originals
from knowlog.settings import Settings

_MB = 2**20
_NO_DISK_MB = 200
_LITTLE_DISK_MB = 2000
_LITTLE_TIMES = 4  # as much again as must be free, and more


async def check_machine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what the machine gives."""
    yield _python()
    yield _writable(settings.data_dir)
    for finding in disks(settings, _free_mb):
        yield finding
    yield _operator_key(settings)
    yield _tesseract()


def _python() -> Finding:
    return ok("python", platform.python_version())


def _writable(data_dir: Path) -> Finding:
    if not data_dir.exists():
        return warn("data directory", f"{data_dir} does not exist yet", "`knowlog up` makes it.")
    try:
        with tempfile.TemporaryFile(dir=data_dir):
            return ok("data directory", str(data_dir))
    except OSError as error:
        return fail(
            "data directory", f"{data_dir}: {error.strerror}", "Make it writable, or set KNOWLOG_DATA_DIR."
        )


def disks(settings: Settings, free_mb: Callable[[Path], int]) -> Iterator[Finding]:
    """Say of the disks of data and of originals whether there is room; of the latter, whether uploads are taken."""
    originals = directory_of_originals(settings.documents, settings.data_dir)
    if originals is not None:
        yield _room_for_originals(settings, originals, free_mb(originals))
    if originals is None or not originals.is_relative_to(settings.data_dir):
        yield _room("disk of the data", settings.data_dir, free_mb(settings.data_dir), _LITTLE_DISK_MB)


def _room_for_originals(settings: Settings, folder: Path, free_mb: int) -> Finding:
    least_mb = settings.documents.min_free_mb
    if free_mb < least_mb:
        found = f"{_gigabytes(free_mb)} free below {folder}: uploads are refused with 507"
        return fail(
            "disk", found, f"Free space, or lower KNOWLOG_DOCUMENTS_MIN_FREE_MB, which is {least_mb}."
        )
    return _room("disk", folder, free_mb, max(_LITTLE_DISK_MB, _LITTLE_TIMES * least_mb))


def _room(part: str, folder: Path, free_mb: int, little_mb: int) -> Finding:
    found = f"{_gigabytes(free_mb)} free"
    if free_mb < _NO_DISK_MB:
        return fail(part, found, f"Free space below {folder}: nothing can be written soon.")
    return warn(part, found, f"Free space below {folder}.") if free_mb < little_mb else ok(part, found)


def _gigabytes(size_mb: int) -> str:
    return f"{size_mb * _MB / 2**30:.1f} GB"


def _free_mb(folder: Path) -> int:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    return shutil.disk_usage(place).free // _MB


def _operator_key(settings: Settings) -> Finding:
    path = settings.data_dir / "operator.key"
    if settings.api.operator_key is not None:
        return ok("operator key", "set")
    if not path.exists():
        return warn("operator key", "there is none yet", "`knowlog up` makes one.")
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return fail("operator key", f"{path} can be read by others (mode {mode:o})", f"chmod 600 {path}")
    return ok("operator key", f"{path}" + ("" if os.access(path, os.R_OK) else " (not readable by you)"))


def _tesseract() -> Finding:
    found = shutil.which("tesseract") or "not installed"
    return ok("tesseract", f"{found}; it is not used: scans are refused with a reason")
