"""Files of many formats, some with the text another parser finds in them, some hostile."""

from dataclasses import dataclass
from pathlib import Path

from knowlog.evaluation.datasets.files import require
from knowlog.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class SampleFile:
    """A file, whether it means harm, and the text to be found in it where that is known."""

    path: Path
    hostile: bool
    expected: str | None


def load_document_samples(folder: Path) -> list[SampleFile]:
    """Read a folder with `samples/`, `expected/<sample>.md` (optional) and `hostile/` (optional).

    Raises Misconfigured when there is no sample.
    """
    samples = _files(require(folder / "samples", "the sample files"))
    hostile = _files(folder / "hostile")
    if not samples:
        raise Misconfigured(f"{folder / 'samples'} is empty. Check the path (of a benchmark: --data).")
    return [SampleFile(each, False, _expected(folder, each)) for each in samples] + [
        SampleFile(each, True, None) for each in hostile
    ]


def _files(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_file()) if folder.is_dir() else []


def _expected(folder: Path, sample: Path) -> str | None:
    path = folder / "expected" / f"{sample.name}.md"
    return path.read_text("utf-8", errors="replace") if path.is_file() else None
