"""One search in the making: what a pattern may ask for, all of it within the caller's scope, and what it did.

Every look reads one snapshot of the scope, under the search's own filter: what the caller may not see feeds nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from knowlog.database import Connection, Database, Scope
from knowlog.kernel.errors import Invalid
from knowlog.retrieval.dense import Embedding, Questions
from knowlog.retrieval.fusion import Fused
from knowlog.retrieval.model import Passage, Step
from knowlog.retrieval.port import Writer
from knowlog.retrieval.settings import RetrievalProfile
from knowlog.retrieval.windows import Rank
from knowlog.stores import Filter, TermStatistics, Vectors


@dataclass(frozen=True, slots=True)
class Candidates:
    """Chunks, those first that fit best, and what they were ranked by.

    `rank` ranks any chunks in the same way; None: by the two legs, for these words and vectors.
    """

    fused: list[Fused]
    statistics: TermStatistics
    questions: Questions
    rank: Rank | None = None


class Legs(Protocol):
    """Both legs on one connection, within scope, collections and filter of one search."""

    async def search(self, question: str, embedding: Embedding, narrowed: Filter | None = None) -> Candidates:
        """Look for a question, in documents that satisfy `narrowed` besides the search's own filter."""
        ...

    async def again(self, statistics: TermStatistics, questions: Questions) -> Candidates:
        """Look for words that weigh so much, and for these vectors."""
        ...

    async def weigh(self, counts: Mapping[str, float]) -> TermStatistics:
        """Look up what the collections know of lexemes."""
        ...

    async def rank(
        self, statistics: TermStatistics, questions: Questions, chunk_ids: Sequence[int]
    ) -> list[Fused]:
        """Return some chunks in the order of both legs' scores, scaled among just these."""
        ...

    async def vectors(self, questions: Questions, chunk_ids: Sequence[int]) -> list[dict[int, Vectors]]:
        """Return the vectors of chunks, for each model asked."""
        ...

    async def beside(self, chunk_ids: Sequence[int], reach: int, most: int) -> dict[UUID, list[int]]:
        """Return the chunks, `most` of them, that stand at most `reach` chunks before or behind these, themselves too, by
        document and in the order of the text.
        """
        ...

    async def show(self, candidates: Candidates, most: int) -> list[Passage]:
        """Return the best candidates as passages."""
        ...


@dataclass
class Looking:
    """What a pattern works with. It asks one thing after the other; between two looks it holds no connection while it
    waits for a language model.
    """

    question: str
    profile: RetrievalProfile
    database: Database
    scope: Scope
    legs_on: Callable[[Connection], Legs]
    embed: Callable[[str], Embedding]
    writer: Writer | None = None
    held: Connection | None = None
    history: Sequence[str] = ()
    """Questions before this one, the oldest first, and `asked`, how it was put: `question` has their words already."""
    asked: str = ""
    steps: list[Step] = field(default_factory=list)
    embedded: dict[str, Questions] = field(default_factory=dict)
    calls: int = 0
    written_tokens: int = 0
    read_tokens: int = 0
    """What an embedding model was given of passages, besides the questions."""
    left_out: dict[str, str] = field(default_factory=dict)
    """What was left out because it did not answer or took too long, and what that means, in a sentence."""

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Legs]:
        """Hold one snapshot for everything that is asked inside."""
        if self.held is not None:
            yield self.legs_on(self.held)
            return
        async with self.database.snapshot(self.scope) as connection:
            self.held = connection
            try:
                yield self.legs_on(connection)
            finally:
                self.held = None

    async def find(self, question: str | None = None, narrowed: Filter | None = None) -> Candidates:
        """Look by both legs for a question; None: for the one that was asked. `narrowed` is a further filter."""
        text = self.question if question is None else question
        embedding = self.embed(text)
        try:
            async with self.snapshot() as legs:
                found = await legs.search(text, embedding, narrowed)
        finally:
            embedding.stop()
        self.embedded[text] = found.questions
        return found

    async def show(self, candidates: Candidates, most: int) -> list[Passage]:
        """Read the best candidates; without those that are flagged, where the profile has it so."""
        async with self.snapshot() as legs:
            if self.profile.flagged == "show":
                return await legs.show(candidates, most)
            passages = await legs.show(candidates, 2 * most)
        kept = [each for each in passages if not each.flagged]
        if len(kept) < len(passages):
            self.did("left out what looks like instructions to a machine", passages=len(passages) - len(kept))
        return kept[:most]

    async def embedding_of(self, text: str) -> Questions:
        """Have the models of the collections read a text, and look for nothing."""
        embedding = self.embed(text)
        try:
            found = await embedding.questions()
        finally:
            embedding.stop()
        self.embedded[text] = found
        return found

    async def write(self, task: str, material: str) -> str:
        """Ask the language model. Raises what it raises, and Invalid where there is none."""
        if self.writer is None:
            raise Invalid("This needs a language model, and there is none.")
        written = await self.writer.write(task, material)
        self.calls += 1
        self.written_tokens += written.tokens
        return written.text

    def did(self, what: str, **detail: Any) -> None:
        """Note what was done, for who asks for an explanation."""
        self.steps.append(Step(what, detail))
