"""RAGTruth: answers of language models with the spans that people found unsupported (Niu et al., ACL 2024)."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from knowlog.evaluation.datasets.files import require, shaped
from knowlog.kernel.errors import Misconfigured

_FORM = (
    'RAGTruth: {"id", "task_type", "query", "context", "response", "labels": [{"start", "end"}]} a line, '
    "gzipped or not"
)


@dataclass(frozen=True, slots=True)
class LabelledAnswer:
    """An answer, what it was made from, and the spans [start, end) of it that are unsupported."""

    answer_id: str
    task: str
    question: str
    context: str
    answer: str
    wrong: tuple[tuple[int, int], ...]


def load_ragtruth(path: Path) -> list[LabelledAnswer]:
    """Read a file of labelled answers. Raises Misconfigured when it is missing, malformed or names an id twice."""
    require(path, "a RAGTruth file is wanted")
    answers = shaped(path, _FORM, lambda: [_answer(row) for row in _rows(path)])
    if not answers:
        raise Misconfigured(f"{path} holds no answer. Check the path (of a benchmark: --data).")
    seen: set[str] = set()
    for each in answers:
        if each.answer_id in seen:
            raise Misconfigured(
                f"{path} has the id {each.answer_id} twice. Give each answer an id of its own."
            )
        seen.add(each.answer_id)
    return answers


def _rows(path: Path) -> Iterator[Any]:
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as lines:
            for line in lines:
                if line.strip():
                    yield orjson.loads(line)
    except (OSError, EOFError, zlib.error) as error:
        raise Misconfigured(
            f"{path} cannot be read: {error}. Check the path (of a benchmark: --data)."
        ) from error


def _answer(row: dict[str, Any]) -> LabelledAnswer:
    answer = str(row["response"])
    wrong = tuple((int(each["start"]), int(each["end"])) for each in row["labels"])
    if any(not 0 <= start < end for start, end in wrong):
        raise ValueError(f"answer {row['id']} has a label that is no span")
    return LabelledAnswer(
        str(row["id"]), str(row["task_type"]), str(row["query"]), str(row["context"]), answer, wrong
    )
