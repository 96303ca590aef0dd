"""Python, the data directory, the operator key, tesseract."""

import os
import platform
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from knowlog.cli.doctor.model import Finding, fail, ok, warn
from knowlog.settings import Settings

_LITTLE_DISK = 2 * 2**30
_NO_DISK = 200 * 2**20


async def check_machine(settings: Settings) -> AsyncIterator[Finding]:
    """Look at what the machine gives."""
    yield _python()
    yield _writable(settings.data_dir)
    yield _disk(settings.data_dir)
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


def _disk(data_dir: Path) -> Finding:
    place = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    found = f"{free / 2**30:.1f} GB free"
    if free < _NO_DISK:
        return fail("disk", found, f"Free space below {place}: uploads are refused soon.")
    if free < _LITTLE_DISK:
        return warn("disk", found, f"Free space below {place}.")
    return ok("disk", found)


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
