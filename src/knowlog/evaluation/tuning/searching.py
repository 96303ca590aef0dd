"""A tuning from its job to its report: successive halving over ways of cutting, then weights, then held-out questions.

Half of the questions decide what goes on to the next round, on ever more of the documents; the other half is asked of two
configurations alone, the present one and the best, so that what is recommended was not chosen by what it is judged on.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import timedelta
from math import ceil
from typing import Any
from uuid import UUID

from knowlog.bus import Event, LeaseLost, complete, notify_progress
from knowlog.database import Scope, load_queries
from knowlog.documents import Collection, get_collection
from knowlog.evaluation.keeping import questions_of
from knowlog.evaluation.means import Asked
from knowlog.evaluation.model import Question
from knowlog.evaluation.running import ProfileChanged, code_version
from knowlog.evaluation.tuning import choosing
from knowlog.evaluation.tuning.keeping import finish_tuning, get_tuning, start_tuning
from knowlog.evaluation.tuning.model import Target, Trial, Tuning
from knowlog.evaluation.tuning.trials import Asking, Laboratory, Setting, located
from knowlog.ingestion import Builder
from knowlog.kernel import now
from knowlog.kernel.errors import Conflict, NotFound, Unavailable
from knowlog.retrieval import RetrievalProfile

_SQL = load_queries("knowlog.evaluation", "tunings.sql")
_ROUNDS = (0.25, 0.5, 1.0)
"""Shares of the documents on which rounds are held."""
_FINALISTS = 2
_LEAST_ASKED = 10
"""A round with fewer questions would decide by chance, and is left out."""


class _TimeIsUp(Exception):
    """The budget is spent: what was measured so far has to do."""


@dataclass(slots=True)
class _Course:
    """How a tuning goes: what was measured, and until when another trial may begin. `counts` are the numbers of passages
    that are tried, that of the present profile first.
    """

    tuning: Tuning
    laboratory: Laboratory
    documents: list[tuple[UUID, str]]
    counts: list[int]
    until: Any
    trials: list[Trial] = field(default_factory=list)
    settings: dict[int, Setting] = field(default_factory=dict)
    baseline: Trial | None = None
    planned: int = 0
    over: bool = False

    def add(self, setting: Setting) -> Setting:
        self.settings[setting.number] = setting
        return setting

    def keep(self, rows: Sequence[Trial]) -> Trial:
        """Keep what was measured of a configuration: all of it, or while it was tried on a part of the documents what it
        is judged by. Returns that. The present configuration comes first in each round.
        """
        number = rows[0].number
        if number == 0 or self.baseline is None:
            self.baseline = rows[0]
        judged = rows[0] if number == 0 else choosing.judged(rows, self.baseline)
        kept = rows if judged.whole else [judged]
        self.trials = [*(each for each in self.trials if each.number != number), *kept]
        return judged


class Tuner:
    """Handles `tuning.requested`. Whoever goes on with one that was cut off finds the indexes that were built.

    `counted` hears of each trial.
    """

    def __init__(self, asked: Asked, builder: Builder, counted: Callable[[], object] = lambda: None) -> None:
        self._asked = asked
        self._builder = builder
        self._counted = counted

    async def tune(self, worker: str, events: Sequence[Event]) -> None:
        """Do the tunings that the events ask for."""
        for event in events:
            await self._tune(worker, event, Scope(event.tenant_id, f"worker:{worker}"))

    async def _tune(self, worker: str, event: Event, scope: Scope) -> None:
        database = self._asked.database
        try:
            async with database.transaction(scope) as connection:
                tuning = await get_tuning(connection, scope, event.subject)
                questions = [each for _, each in await questions_of(connection, tuning.dataset_id)]
                collection = await get_collection(connection, scope, str(tuning.collection_id))
                started = await start_tuning(connection, tuning.tuning_id)
        except NotFound:  # it was deleted, with its dataset or its collection
            with contextlib.suppress(LeaseLost):
                async with database.transaction(scope) as connection:
                    await complete(connection, worker, [event])
            return
        _require_calm(tuning, collection)
        until = started + timedelta(minutes=tuning.wanted.minutes)
        course = await self._prepare(scope, tuning, collection, questions, until)
        report = await self._search(course, questions)
        async with database.transaction(scope) as connection:
            after = await get_collection(connection, scope, str(tuning.collection_id))
            _require_calm(tuning, after)
            await complete(connection, worker, [event])
            indexes = list({each.index_id for each in course.settings.values()})
            await finish_tuning(connection, tuning.tuning_id, code_version(), report, indexes)
            await notify_progress(connection, scope.tenant_id, tuning.tuning_id)

    async def _prepare(
        self, scope: Scope, tuning: Tuning, collection: Collection, questions: Sequence[Question], until: Any
    ) -> _Course:
        target: Target = (
            "token_recall" if all(each.excerpts for each in questions if _known(each)) else "recall"
        )
        laboratory = Laboratory(
            self._asked, self._builder, scope, collection.collection_id, collection.embedding.key or "", target,
            tuning.seed,
        )  # fmt: skip
        async with self._asked.database.transaction(scope) as connection:
            rows = await connection.fetch(
                _SQL["documents_to_try"], collection.collection_id, str(tuning.seed)
            )
        documents = [(row["document_id"], row["external_id"]) for row in rows]
        present = RetrievalProfile(**tuning.profile["retrieval"]).passages
        counts = list(dict.fromkeys([present, *sorted(tuning.wanted.passages)]))
        sample = _sample(documents, questions, tuning.wanted.documents)
        return _Course(tuning, laboratory, sample, counts, until)

    async def _search(self, course: _Course, questions: Sequence[Question]) -> dict[str, Any]:
        """Search, and say what was found."""
        laboratory, wanted = course.laboratory, course.tuning.wanted
        names = {name for _, name in course.documents}
        asking = [
            each
            for each in await located(laboratory.asked, laboratory.scope, laboratory.collection_id, questions)
            if each.documents and each.documents <= names
        ]
        asking.sort(key=lambda each: choosing.drawn(each.question.question_id, course.tuning.seed))
        deciding, held_out = asking[::2], asking[1::2]
        if len(held_out) < _LEAST_ASKED:
            raise Conflict(
                f"Of the dataset's questions {len(asking)} can be measured: their documents or excerpts are not in the"
                " collection. Check the names of the documents."
            )
        settings = self._settings(course)
        course.planned = _planned(len(settings), len(wanted.weights))
        try:
            finalists = await self._rounds(course, settings, deciding)
            await self._weigh(course, finalists, deciding)
        except _TimeIsUp:
            course.over = True
        return await self._conclude(course, held_out)

    def _settings(self, course: _Course) -> list[Setting]:
        """The present configuration, which is the first, and those to try."""
        tuning = course.tuning
        window = self._asked.embedder.profile.window_tokens
        retrieval = RetrievalProfile(**tuning.profile["retrieval"])
        cuts = choosing.candidates(tuning.wanted, tuning.profile["chunking"], window, tuning.seed)
        return [
            course.add(Setting(number, cut, choosing.index_of(tuning.tuning_id, cut), retrieval))
            for number, cut in enumerate(cuts)
        ]

    async def _rounds(
        self, course: _Course, settings: Sequence[Setting], deciding: Sequence[Asking]
    ) -> list[Trial]:
        """Successive halving: the better half of the ways of cutting goes on to twice the documents."""
        going = list(settings)
        best: list[Trial] = []
        for share in _ROUNDS:
            documents = course.documents[: ceil(share * len(course.documents))]
            whole = len(documents) == len(course.documents)
            names = {name for _, name in documents}
            asked = [each for each in deciding if each.documents <= names]
            if share < 1 and (whole or len(asked) < _LEAST_ASKED):
                continue
            trials = [await self._try(course, each, documents, asked, whole) for each in going]
            best = choosing.survivors(trials, _FINALISTS)
            going = [course.settings[each.number] for each in best]
        return best[: _FINALISTS + 1]

    async def _try(
        self, course: _Course, setting: Setting, documents: Sequence[tuple[UUID, str]],
        asked: Sequence[Asking], whole: bool,
    ) -> Trial:  # fmt: skip
        """Build and measure. The present configuration is measured in any case; raises _TimeIsUp before others."""
        ids = [each for each, _ in documents]
        first = setting.number == 0

        async def tell() -> None:
            await self._tell(course, f"building {_named(setting)}")
            if now() > course.until and not first:
                raise _TimeIsUp

        await tell()
        built_s = await course.laboratory.build(setting, ids, tell)
        rows = await course.laboratory.measure(setting, ids, asked, course.counts, built_s, whole)
        self._counted()
        return course.keep(rows)

    async def _weigh(self, course: _Course, finalists: Sequence[Trial], deciding: Sequence[Asking]) -> None:
        """Try other weights of the legs where the best ways of cutting were found. Nothing is built for that."""
        for finalist in finalists:
            base = course.settings[finalist.number]
            for weight in course.tuning.wanted.weights:
                if weight == base.retrieval.dense_weight:
                    continue
                retrieval = base.retrieval.model_copy(update={"dense_weight": weight})
                setting = course.add(replace(base, number=len(course.settings), retrieval=retrieval))
                await self._try(course, setting, course.documents, deciding, True)

    async def _conclude(self, course: _Course, held_out: Sequence[Asking]) -> dict[str, Any]:
        """Ask what was held out of the present configuration, of the best, and where that is not shown to find more, of
        the cheapest that finds as much; say whether to change. Each of the two claims is judged on one trial alone.
        """
        trials = choosing.with_pareto(course.trials)
        present = next((each for each in trials if each.number == 0 and each.k == course.counts[0]), None)
        if present is None or not present.whole:
            return _report(
                course, trials, None, None, (False, "Keep the present profile: the time was over too soon.")
            )
        best = choosing.best(trials, present)
        cheapest = choosing.cheapest(trials, present, course.tuning.seed)
        if best == present and cheapest is None:
            return _report(
                course, trials, best, None, (False, "Keep the present profile: no trial is better.")
            )
        await self._tell(course, "asking what was held out")
        first = await self._held_out(course, present, held_out)
        found: dict[str, Any] = {}
        for chosen, judge in ((best, choosing.finds_more), (cheapest, choosing.finds_as_much)):
            if chosen is None or chosen == present:
                continue
            second = await self._held_out(course, chosen, held_out)
            difference = choosing.difference(first, second, course.tuning.seed)
            verdict = judge(difference, second.context_tokens / (first.context_tokens or 1) - 1)
            if verdict[0] or not found:
                found = _report(course, trials, chosen, (first, second), verdict)
                found["difference"] = asdict(difference)
            if verdict[0]:
                break
        return found

    async def _held_out(self, course: _Course, trial: Trial, asked: Sequence[Asking]) -> Trial:
        """Ask a trial's configuration, for exactly its number of passages, what had no part in choosing it."""
        ids = [each for each, _ in course.documents]
        setting = course.settings[trial.number]
        return (await course.laboratory.measure(setting, ids, asked, [trial.k], 0.0, True))[0]

    async def _tell(self, course: _Course, doing: str) -> None:
        """Say how far it is."""
        laboratory, tuning = course.laboratory, course.tuning
        done = len({(each.number, each.documents) for each in course.trials})
        async with laboratory.asked.database.transaction(laboratory.scope) as connection:
            await connection.execute("set local synchronous_commit = off")
            await connection.execute(
                _SQL["progress_tuning"], tuning.tuning_id, done, max(course.planned, done + 1), doing
            )
            await notify_progress(connection, laboratory.scope.tenant_id, tuning.tuning_id)


def _require_calm(tuning: Tuning, collection: Collection) -> None:
    if collection.profile_version != tuning.profile_version:
        raise ProfileChanged("The collection's profile changed while it was being tuned. Tune it again.")
    if collection.document_count == 0 or not collection.embedding.key:
        raise Conflict(f"The collection {collection.name!r} holds no document: there is nothing to tune.")
    if collection.rechunking or collection.embedding.building:
        raise Unavailable(
            "The collection is being cut or embedded anew. The tuning waits until that is done."
        )


def _known(question: Question) -> bool:
    return bool(question.documents or question.excerpts)


def _sample(
    documents: Sequence[tuple[UUID, str]], questions: Sequence[Question], most: int
) -> list[tuple[UUID, str]]:
    """At most so many documents, in the order drawn: half of them such in which truth lies, as far as there are."""
    if len(documents) <= most:
        return list(documents)
    wanted = {
        name for each in questions for name in (*each.documents, *(one.document for one in each.excerpts))
    }
    true = [each for each in documents if each[1] in wanted][: ceil(most / 2)]
    others = [each for each in documents if each[1] not in wanted][: most - len(true)]
    chosen = {each for each, _ in (*true, *others)}
    return [each for each in documents if each[0] in chosen]


def _planned(cuts: int, weights: int) -> int:
    """About how many trials there will be."""
    return cuts + (_FINALISTS + 1) * weights


def _named(setting: Setting) -> str:
    chunking = setting.chunking
    return f"{chunking.get('strategy')} {chunking.get('size_tokens')}"


def _report(
    course: _Course, trials: Sequence[Trial], best: Trial | None, held_out: tuple[Trial, Trial] | None,
    verdict: tuple[bool, str],
) -> dict[str, Any]:  # fmt: skip
    change, told = verdict
    present_k = course.counts[0]
    best_number, best_k = (best.number, best.k) if best else (0, present_k)
    return {
        "target": course.laboratory.target,
        "documents": len(course.documents),
        "time_is_up": course.over,
        "change": change,
        "verdict": told,
        "present": 0,
        "present_k": present_k,
        "best": best_number,
        "best_k": best_k,
        "recommended": best_number if change else 0,
        "recommended_k": best_k if change else present_k,
        "trials": [_told(each) for each in trials],
        "held_out": None if held_out is None else {"present": _told(held_out[0]), "best": _told(held_out[1])},
        "difference": None,
    }


def _told(trial: Trial) -> dict[str, Any]:
    return {name: value for name, value in asdict(trial).items() if name != "scores"}
