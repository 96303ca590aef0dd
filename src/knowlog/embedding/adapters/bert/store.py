"""A network beside the data: made once, checked at every start, made again when it was damaged."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from knowlog.embedding.adapters.bert.network import RECIPE
from knowlog.kernel.errors import Misconfigured


def identity(weights_sha256: str) -> str:
    """Return what names weights and the recipe, and so every vector made with them."""
    return hashlib.sha256(f"{weights_sha256} {RECIPE}".encode()).hexdigest()[:12]


def kept_network(data_dir: Path, name: str, make: Callable[[], bytes]) -> Path:
    """Return the file of the network of that name, made first where it is absent or damaged.

    Any number of processes may start at once: each makes the same bytes, and a file is whole or absent.
    Raises Misconfigured where the data directory cannot be written, and what `make` raises.
    """
    path = data_dir / "models" / name / "network.onnx"
    if not _intact(path):
        _keep(path, make())
    return path


def _checksum_file(path: Path) -> Path:
    return path.with_name(f"{path.name}.sha256")


def _intact(path: Path) -> bool:
    try:
        expected = _checksum_file(path).read_text("ascii").split()[:1]
        with path.open("rb") as file:
            return [hashlib.file_digest(file, "sha256").hexdigest()] == expected
    except (OSError, UnicodeDecodeError):
        return False


def _keep(path: Path, network: bytes) -> None:
    checksum = f"{hashlib.sha256(network).hexdigest()}  {path.name}\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, network)
        _write(_checksum_file(path), checksum.encode())
    except OSError as error:
        raise Misconfigured(
            f"The embedding model cannot be kept in {path.parent} ({error.strerror}): "
            "free space there, make it writable, or set KNOWLOG_DATA_DIR to another folder."
        ) from error


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place and rename it."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".making-", delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(content)
            file.flush()
            partial.chmod(0o644)
            partial.replace(path)
        except OSError:
            partial.unlink(missing_ok=True)
            raise
