"""The example documents and questions that come with knowlog."""

from dataclasses import dataclass
from pathlib import Path

import orjson

import knowlog
from knowlog.kernel.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Examples:
    """The folder of documents, and the demo's questions: each with whether the documents answer it."""

    corpus: Path
    questions: tuple[tuple[str, bool], ...]


def find_examples() -> Examples:
    """Find the examples, in the package or in the repository. Raises Misconfigured when they are gone."""
    package = Path(knowlog.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if (folder / "questions.json").is_file() and (folder / "corpus").is_dir():
            rows = orjson.loads((folder / "questions.json").read_bytes())
            asked = tuple((row["question"], row["answer"] is not None) for row in rows if row.get("demo"))
            return Examples(folder / "corpus", asked)
    raise Misconfigured("The example documents are missing from this installation. Install knowlog again.")
