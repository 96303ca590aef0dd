"""What BM25 must know of collections: how many chunks they have, and how many of those hold a term."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from knowlog.database import Connection, Database, load_queries
from knowlog.stores.bm25 import inverse_frequency
from knowlog.stores.terms import lexemes, salt, term

_SQL = load_queries("knowlog.stores")
_MOST_LEXEMES = 200
_MOST_CHANGES = 500


@dataclass(frozen=True, slots=True)
class WeighedTerm:
    """A lexeme of a question: its count in it, how many chunks hold it, its terms, one a collection."""

    lexeme: str
    count: int
    holding: int
    inverse_frequency: float
    terms: tuple[int, ...]

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
    """Look up the lexemes of a question; of a very long one, those that it repeats most."""
    counts = dict(Counter(lexemes(question)).most_common(_MOST_LEXEMES))
    salts = [salt(collection_id) for collection_id in collections]
    numbers = {lexeme: tuple(term(lexeme, each) for each in salts) for lexeme in counts}
    asked = [number for of_lexeme in numbers.values() for number in of_lexeme]
    row = await connection.fetchrow(_SQL["statistics"], list(collections), asked)
    holding = {int(number): held for number, held in json.loads(row["holding"]).items()}
    chunk_count = max(0, row["chunk_count"])
    weighed = []
    for lexeme, count in counts.items():
        held = max(0, sum(holding.get(number, 0) for number in numbers[lexeme]))
        weighed.append(
            WeighedTerm(lexeme, count, held, inverse_frequency(chunk_count, held), numbers[lexeme])
        )
    return TermStatistics(tuple(weighed), chunk_count)


async def fold_statistics(database: Database) -> int:
    """Fold what writers reported into the statistics. Returns how many reports were folded.

    Called about once a second, by any number of workers: one works, the others find nothing to do.
    """
    async with database.system() as connection:
        return int(await connection.fetchval(_SQL["fold_statistics"], _MOST_CHANGES))
