"""One configuration tried: its index built as far as it is needed, and questions asked of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from uuid import UUID

from knowlog.database import Scope, load_queries
from knowlog.documents import Answering
from knowlog.evaluation import metrics
from knowlog.evaluation.locating import find_spans, texts_of
from knowlog.evaluation.means import Asked
from knowlog.evaluation.measuring import on_one_line
from knowlog.evaluation.metrics import Cited, mean
from knowlog.evaluation.model import Question
from knowlog.evaluation.tuning.choosing import figure
from knowlog.evaluation.tuning.model import Target, Trial
from knowlog.ingestion import Builder, Plan
from knowlog.ingestion.building import Tell
from knowlog.retrieval import Passage, RetrievalProfile, Search, retrieve

_SQL = load_queries("knowlog.evaluation", "tunings.sql")


@dataclass(frozen=True, slots=True)
class Setting:
    """A configuration: how documents are cut, in which index that is, how the legs are weighed. How many passages are
    read is tried in one go.
    """

    number: int
    chunking: Mapping[str, Any]
    index_id: UUID
    retrieval: RetrievalProfile


@dataclass(frozen=True, slots=True)
class Asking:
    """A question with the place of its excerpts, found once for all trials."""

    question: Question
    excerpts: tuple[Cited, ...]

    @property
    def documents(self) -> frozenset[str]:
        """The documents in which its truth lies."""
        return frozenset(self.question.documents) | {each.document for each in self.question.excerpts}


@dataclass(frozen=True, slots=True)
class Laboratory:
    """What trials of one collection rest on."""

    asked: Asked
    builder: Builder
    scope: Scope
    collection_id: UUID
    embedding_key: str
    target: Target
    seed: int

    async def build(self, setting: Setting, documents: Sequence[UUID], tell: Tell) -> float:
        """Build a setting's index of some documents. Returns how long it took, in seconds."""
        began = perf_counter()
        plan = Plan(self.collection_id, setting.index_id, setting.chunking, self.embedding_key)
        await self.builder.complete(self.scope, plan, documents, tell)
        return perf_counter() - began

    async def measure(
        self, setting: Setting, documents: Sequence[UUID], asking: Sequence[Asking], counts: Sequence[int],
        build_s: float, whole: bool,
    ) -> list[Trial]:  # fmt: skip
        """Ask the questions once, for the largest of the `counts` of passages. Returns a trial for each of these."""
        async with self.asked.database.transaction(self.scope) as connection:
            chunks = await connection.fetchval(_SQL["chunks_of_index"], setting.index_id, list(documents))
        found: dict[int, dict[str, tuple[float, int]]] = {count: {} for count in counts}
        latencies = []
        for each in asking:
            began = perf_counter()
            passages = await self._passages(setting, each.question, max(counts))
            latencies.append((perf_counter() - began) * 1000)
            tokens = [len(self.asked.embedder.token_offsets(one.text)) for one in passages]
            for count in counts:
                score = self._score(each, passages[:count])
                found[count][each.question.question_id] = score, sum(tokens[:count])
        return [
            Trial(
                setting.number, setting.chunking, setting.retrieval.dense_weight, count, len(documents), chunks,
                figure([score for score, _ in own.values()], self.seed),
                round(mean([tokens for _, tokens in own.values()]), 1), round(mean(latencies), 2), round(build_s, 1),
                whole, scores={name: score for name, (score, _) in own.items()},
            )
            for count, own in found.items()
        ]  # fmt: skip

    async def _passages(self, setting: Setting, question: Question, most: int) -> tuple[Passage, ...]:
        here = {self.collection_id: Answering(setting.index_id, self.embedding_key)}
        search = Search(question.text, (self.collection_id,), most, profile=setting.retrieval, answering=here)
        asked = self.asked
        async with asked.writing(self.scope) as writer:
            found = await retrieve(
                asked.database, self.scope, asked.embedder, asked.store, search, open_model=asked.open_model,
                writer=writer,
            )  # fmt: skip
        return found.passages

    def _score(self, asking: Asking, passages: Sequence[Passage]) -> float:
        """What the passages are worth: the share of the documents, or of the excerpts, that they hold."""
        if self.target == "recall":
            relevance = asking.question.documents or dict.fromkeys(asking.documents, 1)
            ranking = list(dict.fromkeys(each.external_id for each in passages))
            return metrics.recall(ranking, relevance, max(1, len(ranking)))
        spans = [(each.external_id, each.start, each.end) for each in passages]
        excerpts, retrieved = on_one_line(asking.excerpts, spans)
        return metrics.span_recall(retrieved, excerpts)


async def located(
    asked: Asked, scope: Scope, collection_id: UUID, questions: Sequence[Question]
) -> list[Asking]:
    """Find the excerpts of questions in the documents as they are now. Questions of which none is found are left out."""
    wanted: dict[str, set[str]] = {}
    for excerpt in (one for each in questions for one in each.excerpts):
        wanted.setdefault(excerpt.document, set()).add(excerpt.text)
    places: dict[tuple[str, str], Cited] = {}
    async with asked.database.transaction(scope) as connection:
        async for document in texts_of(connection, collection_id, sorted(wanted)):
            texts = sorted(wanted[document.external_id])
            for text, place in zip(texts, await find_spans(connection, document.text, texts), strict=True):
                if place:
                    places[document.external_id, text] = (document.external_id, *place)
    found = []
    for each in questions:
        keys = [(one.document, one.text) for one in each.excerpts]
        spans = tuple(places[key] for key in keys if key in places)
        if spans or each.documents:
            found.append(Asking(each, spans))
    return found
