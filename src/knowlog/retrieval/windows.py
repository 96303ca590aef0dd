"""Small chunks and the larger ones around them: searched together, shown as windows.

A small chunk (child) tells where the answer stands, the larger one around it (parent) whether that is what is spoken of.
So a child counts together with its parent; and what is shown is the child that was found, with as much of its parent as
fits into a passage, on the side where the other children fit the question better.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from knowlog.database import Connection, load_queries
from knowlog.retrieval.fusion import Fused
from knowlog.retrieval.settings import RetrievalProfile

_SQL = load_queries("knowlog.retrieval")
_FAMILIES = 100
"""Most families that are looked at, the best first."""

Family = tuple[UUID, int, int, UUID]
"""Document, version and ordinal of a parent, and the index that it is in."""

Rank = Callable[[Sequence[int]], Awaitable[list[Fused]]]
"""Both legs' scores of some chunks, fused among just these, best first."""


@dataclass(frozen=True, slots=True)
class Child:
    """A small chunk of a family, by its place in the text."""

    chunk_id: int
    ordinal: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Found:
    """A chunk as it was found, and its score together with its parent's. `family` is None for one without."""

    fused: Fused
    score: float
    family: Family | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Chunks that are shown as one passage, in the order of the text; `found` is the one that was found."""

    found: Found
    chunk_ids: tuple[int, ...]


async def windows(
    connection: Connection, fused: Sequence[Fused], rank: Rank, most: int, profile: RetrievalProfile
) -> list[Window]:
    """Return the best passages: windows of at most `passage_tokens` (None: whole parents) and chunks without children.

    No chunk is in two of them. Fewer than `most` where the candidates lie in fewer places.
    """
    rows = await connection.fetch(_SQL["families"], [each.chunk_id for each in fused])
    family_of = {row["chunk_id"]: _family(row) for row in rows}
    best = [family_of[each.chunk_id] for each in fused if each.chunk_id in family_of]
    parents, children = await _members(connection, list(dict.fromkeys(best))[: max(_FAMILIES, most)])
    found = await _together(rank, parents, children)
    found += [Found(each, each.score) for each in fused if each.chunk_id not in family_of]
    found.sort(key=lambda each: (-each.score, each.fused.chunk_id))
    if profile.one_per_document:
        found = _best_of_each_document(found)
    return list(_chosen(found, children, most, profile.passage_tokens))


def _best_of_each_document(found: Sequence[Found]) -> list[Found]:
    """Leave out all but the best of each document; chunks without a family are one for each already."""
    best: dict[UUID | int, Found] = {}
    for each in found:
        best.setdefault(each.family[0] if each.family else each.fused.chunk_id, each)
    return list(best.values())


def _family(row: Any) -> Family:
    return row["document_id"], row["version"], row["parent_ordinal"], row["collection_id"]


async def _members(
    connection: Connection, families: Sequence[Family]
) -> tuple[dict[int, Family], dict[Family, list[Child]]]:
    """Return the parents, by chunk, and the children of each."""
    parents: dict[int, Family] = {}
    children: dict[Family, list[Child]] = {}
    for row in await connection.fetch(_SQL["members"], *map(list, zip(*families, strict=True))):
        if row["ordinal"] == row["parent_ordinal"]:
            parents[row["chunk_id"]] = _family(row)
        else:
            child = Child(row["chunk_id"], row["ordinal"], row["token_count"])
            children.setdefault(_family(row), []).append(child)
    return parents, children


async def _together(
    rank: Rank, parents: Mapping[int, Family], children: Mapping[Family, Sequence[Child]]
) -> list[Found]:
    """Return the children, each with the mean of its own score among children and its parent's among parents."""
    around = {parents[each.chunk_id]: each.score for each in await rank(list(parents))}
    family_of = {child.chunk_id: family for family, own in children.items() for child in own}
    found = []
    for each in await rank(list(family_of)):
        family = family_of[each.chunk_id]
        found.append(Found(each, (each.score + around.get(family, 0.0)) / 2, family))
    return found


def _chosen(
    found: Sequence[Found], children: Mapping[Family, Sequence[Child]], most: int, most_tokens: int | None
) -> Iterator[Window]:
    scores = {each.fused.chunk_id: each.score for each in found}
    shown: set[int] = set()
    count = 0
    for each in found:
        if count == most:
            return
        window = _window(
            each, children.get(each.family, ()) if each.family else (), scores, shown, most_tokens
        )
        if window:
            shown.update(window.chunk_ids)
            count += 1
            yield window


def _window(
    found: Found,
    family: Sequence[Child],
    scores: Mapping[int, float],
    shown: set[int],
    most_tokens: int | None,
) -> Window | None:
    """Return the window around a chunk; None where it is shown already."""
    own = found.fused.chunk_id
    if own in shown:
        return None
    place = next((place for place, child in enumerate(family) if child.chunk_id == own), None)
    if place is None:
        return Window(found, (own,))
    first, last = grown(family, place, scores, shown, most_tokens)
    return Window(found, tuple(child.chunk_id for child in family[first : last + 1]))


def grown(
    family: Sequence[Child], place: int, scores: Mapping[int, float], shown: set[int], most_tokens: int | None
) -> tuple[int, int]:
    """Return the first and last child of a window around `place`: it grows to the better side while there is room."""
    first = last = place
    tokens = family[place].tokens
    while True:
        sides = [
            side
            for side in (first - 1, last + 1)
            if 0 <= side < len(family)
            and family[side].chunk_id not in shown
            and (most_tokens is None or tokens + family[side].tokens <= most_tokens)
        ]
        if not sides:
            return first, last
        better = max(sides, key=lambda side: (scores.get(family[side].chunk_id, 0.0), -side))
        tokens += family[better].tokens
        first, last = min(first, better), max(last, better)
