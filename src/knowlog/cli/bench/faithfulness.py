"""`knowlog bench faithfulness`: whether unsupported answers are told from supported ones, as people labelled them."""

import hashlib
from collections.abc import Callable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Annotated, TypeVar

import orjson
import typer

from knowlog.cli.bench.options import JsonFile
from knowlog.cli.bench.report import Report, check_writable, publish
from knowlog.cli.output import progress, say
from knowlog.evaluation import LabelledAnswer, load_ragtruth
from knowlog.faithfulness import (
    CalibratedWeights,
    Judgement,
    Labelled,
    cross_validate,
    judged,
    read_answer,
    read_source,
    shipped_weights,
    train,
)
from knowlog.kernel.errors import Misconfigured

Result = TypeVar("Result")

Data = Annotated[
    Path | None,
    typer.Option("--data", help="Labelled answers in RAGTruth's form, to learn from; not part of knowlog."),
]


def faithfulness(
    data: Data = None,
    folds: Annotated[
        int, typer.Option("--folds", min=2, max=20, help="Judge the data in so many parts, each by the others.")
    ] = 5,
    test: Annotated[
        Path | None,
        typer.Option("--test", help="Judge this file by what --data taught; without --data, by the weights that ship."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=50, help="Only so many answers.")] = None,
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the weights that all of --data taught to this file.")
    ] = None,
    json: JsonFile = None,
) -> None:  # fmt: skip
    """Judge labelled answers offline. F1, precision and recall, in points, are of finding the unsupported answers."""
    check_writable(json)
    check_writable(save)
    if data is None and test is None:
        raise Misconfigured("There is nothing to judge: give --data, --test or both.")
    publish(_measure(data, folds, test, limit, save), json)


def _measure(
    data: Path | None, folds: int, test: Path | None, limit: int | None, save: Path | None
) -> Report:
    weights, metrics = shipped_weights(), dict[str, float | None]()
    answers = [] if data is None else load_ragtruth(data)[:limit]
    if answers:
        examples = _read(answers, "Reading")
        metrics |= scores(answers, _validated(examples, folds))
        weights = _learned(examples, answers) if test or save else weights
    if test is not None:
        held = load_ragtruth(test)
        judgements = [judged(each.read, weights, weights.version) for each in _read(held, "Reading the test")]
        metrics |= {f"test_{name}": value for name, value in scores(held, judgements).items()}
        metrics["test_sources_seen"] = _seen(answers, held) if answers else None
    if save is not None:
        _save(weights, save)
    named = {"data": data and data.name, "test": test and test.name, "folds": folds}
    return Report(metrics, {**named, "weights": weights.version})


def _save(weights: CalibratedWeights, path: Path) -> None:
    path.write_bytes(orjson.dumps(weights.as_json()) + b"\n")
    say(f"The weights are in {path}.")


def _read(answers: Sequence[LabelledAnswer], title: str) -> list[Labelled]:
    """Read answers against their contexts, each context once."""
    found: dict[str, Labelled] = {}
    with progress() as bar:
        task = bar.add_task(title, total=len(answers), note="")
        for context, group in groupby(sorted(answers, key=_context), key=_context):
            source = read_source([context])
            for each in group:
                read = read_answer(each.question, each.answer, source)
                found[each.answer_id] = Labelled(read, each.wrong, each.context)
                bar.advance(task)
    return [found[each.answer_id] for each in answers]


def _validated(examples: Sequence[Labelled], folds: int) -> list[Judgement]:
    with progress() as bar:
        task = bar.add_task("Judging", total=folds, note="")
        return _told_plainly(lambda: cross_validate(examples, folds, lambda: bar.advance(task)))


def _learned(examples: Sequence[Labelled], answers: Sequence[LabelledAnswer]) -> CalibratedWeights:
    told = hashlib.sha256(
        orjson.dumps([[each.answer_id, each.answer, each.wrong] for each in answers])
    ).hexdigest()
    return _told_plainly(lambda: train(examples, f"{len(answers)}-{told[:8]}"))


def _told_plainly(work: Callable[[], Result]) -> Result:
    try:
        return work()
    except ValueError as error:
        raise Misconfigured(
            f"The data does not suffice to learn from. {error} Check --data and --limit."
        ) from error


def scores(answers: Sequence[LabelledAnswer], judgements: Sequence[Judgement]) -> dict[str, float | None]:
    """Precision, recall and F1 of finding unsupported answers, over all and by task; of their spans' characters, too."""
    pairs = list(zip(answers, judgements, strict=True))
    found: dict[str, float | None] = {}
    for task in (None, *sorted({each.task for each in answers})):
        own = [(bool(a.wrong), not j.faithful) for a, j in pairs if task in (None, a.task)]
        right = sum(truth and said for truth, said in own)
        suffix = "" if task is None else f"_{task}"
        found |= _f1(right, sum(said for _, said in own), sum(truth for truth, _ in own), suffix)
        found[f"answers{suffix}"] = len(own)
    spans = [(_points(a.wrong), _points(_unsupported(j))) for a, j in pairs]
    common, said, true = (
        sum(len(p) for p in side) for side in zip(*((t & s, s, t) for t, s in spans), strict=True)
    )
    found["span_f1"] = _f1(common, said, true, "")["f1"]
    return found


def _f1(right: int, said: int, true: int, suffix: str) -> dict[str, float | None]:
    return {
        f"f1{suffix}": 200 * right / (said + true) if said + true else None,
        f"precision{suffix}": 100 * right / said if said else None,
        f"recall{suffix}": 100 * right / true if true else None,
    }


def _unsupported(judgement: Judgement) -> list[tuple[int, int]]:
    return [(each.claim.start, each.claim.end) for each in judgement.verdicts if each.label == "unsupported"]


def _points(spans: Sequence[tuple[int, int]]) -> set[int]:
    return {point for start, end in spans for point in range(start, end)}


def _seen(answers: Sequence[LabelledAnswer], held: Sequence[LabelledAnswer]) -> int:
    """How many contexts of the test are in the data, too: 0, or the test says too much."""
    return len(set(map(_context, answers)) & set(map(_context, held)))


def _context(answer: LabelledAnswer) -> str:
    return answer.context
