"""Texts with questions and the exact excerpts that answer them: the form of Chroma's chunking evaluation.

`questions.csv` has the columns question, references (a JSON list of content, start_index, end_index) and corpus_id; the
text of a corpus is `<corpus_id>.md` beside it. https://github.com/brandonstarxel/chunking_evaluation
"""

import csv
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import orjson

from knowlog.evaluation.datasets.files import read_text, require
from knowlog.kernel.errors import Misconfigured

_COLUMNS = {"question", "references", "corpus_id"}
_LONGEST_FIELD = 10_000_000


@dataclass(frozen=True, slots=True)
class ExcerptQuestion:
    """A question and the spans [start, end) of its corpus that answer it."""

    question: str
    corpus_id: str
    excerpts: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ExcerptDataset:
    """Texts by name, and the questions on them. `left_out`: questions of which an excerpt stands in no text, by line."""

    name: str
    corpora: dict[str, str]
    questions: tuple[ExcerptQuestion, ...]
    left_out: tuple[int, ...] = ()


def load_excerpts(folder: Path) -> ExcerptDataset:
    """Read a folder. Only the corpora that it holds, and the questions on these, are taken.

    Raises Misconfigured for a file that is missing or malformed.
    """
    path = require(folder / "questions.csv", "questions with the excerpts that answer them")
    rows = _rows(path)
    names = sorted({row["corpus_id"] for row in rows})
    corpora = {name: text for name in names if (text := _text(folder, name)) is not None}
    read = {
        number: _question(f"{path}, question {number}", row, corpora[row["corpus_id"]])
        for number, row in enumerate(rows, start=1)
        if row["corpus_id"] in corpora
    }
    questions = tuple(question for question in read.values() if question)
    if not questions:
        raise Misconfigured(
            f"{folder} holds no text with an answer to a question of its questions.csv."
            " Check the path (of a benchmark: --data)."
        )
    left_out = tuple(number for number, question in read.items() if question is None)
    return ExcerptDataset(folder.resolve().name, corpora, questions, left_out)


def _rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.DictReader(StringIO(read_text(path), newline=""), restval="")
    try:
        if not set(reader.fieldnames or ()) >= _COLUMNS:
            raise Misconfigured(f"{path} needs the columns {', '.join(sorted(_COLUMNS))} in its first line.")
        return list(reader)
    except csv.Error as error:
        raise Misconfigured(
            f"{path} is no CSV file: {error}. Check the path (of a benchmark: --data)."
        ) from error


def _text(folder: Path, name: str) -> str | None:
    """The text of a corpus, with "\\n" line ends, as the offsets count; None where there is none."""
    if not name or Path(name).name != name:
        return None
    for path in (folder / f"{name}.md", folder / "corpora" / f"{name}.md"):
        if path.exists():
            return read_text(path)
    return None


def _question(where: str, row: dict[str, str], text: str) -> ExcerptQuestion | None:
    """Return the question; None where one of its excerpts stands neither where it is said to nor elsewhere."""
    try:
        references = orjson.loads(row["references"])
        told = [(int(each["start_index"]), str(each["content"])) for each in references]
    except (KeyError, TypeError, ValueError) as error:
        raise Misconfigured(
            f"{where}: the references must be a JSON list of content, start_index and end_index."
        ) from error
    spans = [_place(text, start, content.replace("\r\n", "\n")) for start, content in told]
    found = [span for span in spans if span]
    if not spans or len(found) < len(spans) or not row["question"].strip():
        return None
    return ExcerptQuestion(row["question"], row["corpus_id"], tuple(found))


def _place(text: str, start: int, content: str) -> tuple[int, int] | None:
    """Return where an excerpt stands in the text: where it is said to, or at its first occurrence."""
    if not content.strip():
        return None
    place = start if start >= 0 and text.startswith(content, start) else text.find(content)
    return None if place < 0 else (place, place + len(content))
