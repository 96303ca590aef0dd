"""BEIR-form folders: corpus.jsonl, queries.jsonl, qrels/test.tsv (Thakur et al., NeurIPS 2021)."""

from dataclasses import dataclass
from pathlib import Path

from knowlog.evaluation.datasets.files import json_lines, once, read_text, require, shaped
from knowlog.kernel.errors import Misconfigured

_FORM = 'BEIR: {"_id", "title", "text"} a line in corpus.jsonl, {"_id", "text"} in queries.jsonl'


@dataclass(frozen=True, slots=True)
class BeirText:
    """A document of the corpus."""

    text_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class BeirDataset:
    """A corpus, its judged questions (id -> text), the judgements (question id -> text id -> relevance)."""

    name: str
    corpus: tuple[BeirText, ...]
    questions: dict[str, str]
    judgements: dict[str, dict[str, int]]


def load_beir(folder: Path, split: str = "test") -> BeirDataset:
    """Read a folder in BEIR's form. Only questions that `qrels/<split>.tsv` judges are kept.

    Raises Misconfigured when a file is missing or malformed.
    """
    corpus_path = require(folder / "corpus.jsonl", "a folder in BEIR's form is wanted")
    questions_path = require(folder / "queries.jsonl", "a folder in BEIR's form is wanted")
    judgements = load_judgements(require(folder / "qrels" / f"{split}.tsv", "the judgements"))
    corpus = shaped(
        corpus_path,
        _FORM,
        lambda: once(
            corpus_path,
            (
                (str(row["_id"]), BeirText(str(row["_id"]), row.get("title") or "", row["text"]))
                for row in json_lines(corpus_path)
            ),
        ),
    )
    texts = shaped(
        questions_path,
        _FORM,
        lambda: once(
            questions_path, ((str(row["_id"]), str(row["text"])) for row in json_lines(questions_path))
        ),
    )
    questions = {key: texts[key] for key in judgements if key in texts}
    if not corpus or not questions:
        raise Misconfigured(
            f"{folder} holds no document or no judged question. Check the path (of a benchmark: --data)."
        )
    return BeirDataset(folder.resolve().name, tuple(corpus.values()), questions, judgements)


def load_judgements(path: Path) -> dict[str, dict[str, int]]:
    """Read a tab-separated qrels file with its header line: question id, document id, relevance."""
    judgements: dict[str, dict[str, int]] = {}
    lines = read_text(path).splitlines()[1:]
    for number, line in enumerate(lines, start=2):
        fields = line.split("\t")
        if not line.strip():
            continue
        if len(fields) != 3 or not fields[2].strip().lstrip("-").isdigit():
            raise Misconfigured(
                f"{path}, line {number}: three tab-separated fields, the last a number, are wanted."
            )
        judgements.setdefault(fields[0], {})[fields[1]] = int(fields[2])
    return judgements
