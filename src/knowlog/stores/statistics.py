"""What BM25 must know of collections: how many chunks they have, and how many of those hold a term."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from knowlog.database import Connection, Database, load_queries
from knowlog.stores.bm25 import coarse, inverse_frequency, roughly
from knowlog.stores.terms import lexemes, salt, term

_SQL = load_queries("knowlog.stores")
_MOST_LEXEMES = 200
_MOST_CHANGES = 500
_FEW = 500
"""Chunks up to which they are counted anew for a caller who does not see all."""


@dataclass(frozen=True, slots=True)
class WeighedTerm:
    """A lexeme of a question: its count (or weight) in it, how many chunks hold it, its terms, one a collection.

    `postings`: about how many chunks are read to find those that hold it, which says in which order lexemes are looked
    up. It is in no weight.
    """

    lexeme: str
    count: float
    holding: int
    inverse_frequency: float
    terms: tuple[int, ...]
    postings: int = 0

    @property
    def weight(self) -> float:
        """What the lexeme's BM25 weight in a chunk is multiplied with."""
        return self.count * self.inverse_frequency


@dataclass(frozen=True, slots=True)
class TermStatistics:
    """The lexemes of a question, in their order, as the collections searched know them."""

    terms: tuple[WeighedTerm, ...]
    chunk_count: int

    @property
    def inverse_frequencies(self) -> dict[str, float]:
        """The inverse frequency of each lexeme, also of those that occur nowhere."""
        return {weighed.lexeme: weighed.inverse_frequency for weighed in self.terms}


async def term_statistics(
    connection: Connection, collections: Sequence[UUID], question: str
) -> TermStatistics:
    """Look up the lexemes of a question; of a very long one, those that it repeats most.

    For a caller who does not see every document, they are counted among those that it sees; where these are many, among
    all, and told coarsely, so that scores do not tell of single documents that are hidden (decision 0011).
    """
    return await weigh_terms(
        connection, collections, dict(Counter(lexemes(question)).most_common(_MOST_LEXEMES))
    )


async def weigh_terms(
    connection: Connection, collections: Sequence[UUID], counts: Mapping[str, float]
) -> TermStatistics:
    """Look up lexemes that count so much each, as `term_statistics` does those of a question."""
    salts = [salt(collection_id) for collection_id in collections]
    numbers = {lexeme: tuple(term(lexeme, each) for each in salts) for lexeme in counts}
    asked = [number for of_lexeme in numbers.values() for number in of_lexeme]
    known = await _counts(connection, collections, asked)
    weighed = []
    for lexeme, count in counts.items():
        terms = numbers[lexeme]
        held, postings = (sum(map(told, terms)) for told in (known.holding, known.postings))
        inverse = inverse_frequency(known.chunk_count, held)
        weighed.append(WeighedTerm(lexeme, count, held, inverse, terms, postings))
    return TermStatistics(tuple(weighed), known.chunk_count)


@dataclass(frozen=True, slots=True)
class _Counts:
    """How many chunks there are, and how many hold each term: as much of it as the caller may know."""

    counted: int
    holders: dict[int, int]
    told: Callable[[int], int]
    read: Callable[[int], int]

    @property
    def chunk_count(self) -> int:
        return self.told(self.counted)

    def holding(self, number: int) -> int:
        return self.told(self.holders[number]) if number in self.holders else 0

    def postings(self, number: int) -> int:
        return self.read(self.holders[number]) if number in self.holders else 0


async def _counts(connection: Connection, collections: Sequence[UUID], asked: Sequence[int]) -> _Counts:
    row = await connection.fetchrow(_SQL["statistics"], list(collections), list(asked))
    known = (
        None
        if row["whole"]
        else await connection.fetchrow(_SQL["seen_statistics"], list(collections), list(asked), _FEW)
    )
    told, read = (_not_negative, _not_negative) if row["whole"] or known else (coarse, roughly)
    found = known or row
    holders = {int(number): held for number, held in json.loads(found["holding"]).items()}
    return _Counts(found["chunk_count"], holders, told, read)


def _not_negative(count: int) -> int:
    """What changes that are not folded in yet may make of a count for a moment."""
    return max(0, count)


async def fold_statistics(database: Database) -> int:
    """Fold what writers reported into the statistics. Returns how many reports were folded.

    Called every few seconds, by any number of workers: one works, the others find nothing to do.
    """
    whole = 0
    while True:
        async with database.system() as connection:
            folded = int(await connection.fetchval(_SQL["fold_statistics"], _MOST_CHANGES))
        whole += folded
        if folded < _MOST_CHANGES:
            return whole
