"""A run from its job to its figures: one question after the other, so that their latencies are a user's."""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from time import monotonic
from typing import Any

import knowlog
from knowlog.bus import Event, LeaseLost, complete, notify_progress
from knowlog.database import Scope
from knowlog.documents import Collection, get_collection
from knowlog.evaluation.answers import writers_of
from knowlog.evaluation.keeping import questions_of
from knowlog.evaluation.means import Asked
from knowlog.evaluation.measures import METRICS
from knowlog.evaluation.measuring import measure
from knowlog.evaluation.model import Figure, Question, Result, Run
from knowlog.evaluation.runs import finish_run, get_run, note_progress
from knowlog.evaluation.statistics import Interval, bootstrap
from knowlog.kernel.errors import Conflict, KnowlogError, NotFound, Unavailable
from knowlog.llm import Provider
from knowlog.retrieval import RetrievalProfile

_TELL_EVERY_S = 1.0
_DECIDING = ("profile_version", "embedding_key")
"""What must be the same at a run's end as at its beginning. Documents may come and go."""


class ProfileChanged(KnowlogError):
    """What was to be measured became something else meanwhile."""

    status, code, permanent = 409, "profile-changed", True


class Evaluator:
    """Handles `evaluation.requested`. A run that is cut off leaves nothing, and begins again from the start.

    `counted` is called after each question.
    """

    def __init__(self, asked: Asked, counted: Callable[[], object] = lambda: None) -> None:
        self._asked = asked
        self._counted = counted

    async def evaluate(self, worker: str, events: Sequence[Event]) -> None:
        """Measure what each event asks for, and write it with the job's end in one transaction."""
        for event in events:
            await self._evaluate(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _evaluate(self, worker: str, event: Event, scope: Scope) -> None:
        database = self._asked.database
        try:
            async with database.transaction(scope) as connection:
                run = await get_run(connection, scope, event.subject)
                questions = await questions_of(connection, run.dataset_id)
                collection = await get_collection(connection, scope, str(run.collection_id))
        except NotFound:  # it was deleted, with its dataset or its collection
            with contextlib.suppress(LeaseLost):
                async with database.transaction(scope) as connection:
                    await complete(connection, worker, [event])
            return
        writers = await writers_of(self._asked, scope, run.wanted.mode)
        results = await self._measure(scope, run, collection, questions)
        async with database.transaction(scope) as connection:
            after = await get_collection(connection, scope, str(run.collection_id))
            made_with = self._made_with(collection)
            if any(self._made_with(after)[each] != made_with[each] for each in _DECIDING):
                raise ProfileChanged(
                    "The collection's profile or model changed while the run was under way. Run it again."
                )
            await complete(connection, worker, [event])
            told = made_with | {"answers": _answered(run, writers, results)}
            await finish_run(connection, run, code_version(), told, figures(results, run.seed), results)
            await notify_progress(connection, scope.tenant_id, run.run_id)

    async def _measure(
        self, scope: Scope, run: Run, collection: Collection, questions: Sequence[tuple[int, Question]]
    ) -> list[Result]:
        if collection.document_count == 0:
            raise Conflict(
                f"The collection {collection.name!r} holds no document: there is nothing to measure."
            )
        if collection.rechunking or collection.embedding.building:
            raise Unavailable(
                "The collection is being cut or embedded anew. The run waits until that is done."
            )
        profile = RetrievalProfile(**collection.profile.retrieval)
        results: list[Result] = []
        told = monotonic()
        for position, question in questions:
            scores, detail = await measure(
                self._asked, scope, run.collection_id, profile, question, run.wanted
            )
            results.append(Result(position, question.question_id, scores, detail))
            self._counted()
            if monotonic() - told > _TELL_EVERY_S:
                told = monotonic()
                async with self._asked.database.transaction(scope) as connection:
                    await note_progress(connection, run.run_id, len(results))
        return results

    def _made_with(self, collection: Collection) -> dict[str, Any]:
        return {
            "profile_version": collection.profile_version,
            "profile": collection.profile.model_dump(),
            "embedding_key": collection.embedding.key,
            "document_count": collection.document_count,
            "judge": self._asked.judge.name,
        }


def _answered(run: Run, writers: Sequence[Provider], results: Sequence[Result]) -> dict[str, Any] | None:
    """How the answers were made: how many stand on which rung of the ladder, and that in words. None for a run without
    answers.
    """
    rungs = Counter(each.detail["rung"] for each in results if "rung" in each.detail)
    if not rungs:
        return None
    models = [each.model.name for each in writers]
    written = rungs.total() - rungs["extractive"]
    told = f"{written} of {rungs.total()} written by {' or '.join(models)}" if writers else "quotations"
    return {"mode": run.wanted.mode, "models": models, "rungs": dict(rungs), "told": told}


def figures(results: Sequence[Result], seed: int) -> dict[str, Figure]:
    """Return the mean of each metric with its interval, in the order in which metrics are shown."""
    found = {}
    for metric in METRICS:
        values = [each.scores[metric] for each in results if metric in each.scores]
        if values:
            found[metric] = _figure(bootstrap(values, seed))
    return found


def _figure(interval: Interval) -> Figure:
    return Figure(round(interval.mean, 6), round(interval.low, 6), round(interval.high, 6), interval.count)


@cache
def code_version() -> str:
    """Return the version of this code: that of the package, and a hash of its source, which changes between releases."""
    root = Path(knowlog.__file__).parent
    found = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        found.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return f"{knowlog.__version__}+{found.hexdigest()[:10]}"
