"""One search in the making: what a pattern may ask for, all of it within the caller's scope, and what it did.

Every look reads one snapshot of the scope, under the search's own filter: what the caller may not see feeds nothing.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from knowlog.database import Connection, Database, Scope
from knowlog.kernel.errors import Invalid
from knowlog.retrieval.dense import Embedding, Questions
from knowlog.retrieval.legs import Candidates, Legs
from knowlog.retrieval.model import Passage, Step
from knowlog.retrieval.port import Writer
from knowlog.retrieval.settings import RetrievalProfile
from knowlog.stores import Filter

__all__ = ["Candidates", "Legs", "Looking"]


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
