"""Entity graph: what the question names leads to what stands beside it, and that is looked for, too.

After HippoRAG (Gutiérrez et al. 2024, https://arxiv.org/abs/2405.14831), with plain rules in the place of a language
model: entities are names (capitalised words that stand together), acronyms and codes; two of one sentence have an
edge. A walk that begins at the question's entities, and returns there, ranks the others (personalised PageRank).

The graph is of the best passages that this caller finds, made while it asks: nothing is stored, nothing gets stale,
and what is hidden has neither node nor edge.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

from knowlog.retrieval.looking import Candidates, Legs, Looking
from knowlog.retrieval.merging import merged
from knowlog.stores import lexemes

_PASSAGES = 30
_HOPS = 3
"""Most entities that are looked for besides the question's own."""
_ROUNDS = 10
_RETURN = 0.5
"""How often the walk goes back to the question: HippoRAG's, for steps that seldom lead far."""
_SHARE = 0.3
"""What the entities reached count beside the question's words."""
_MOST_OF_SENTENCE = 12


_CAPITAL = r"[^\W\d_a-z\u00df-\u00f6\u00f8-\u00ff][^\W\d_]*(?:['’&-][^\W\d_]+)*"
_CODE = r"(?=[\w./-]{0,40}\d)\w+(?:[-./]\w+)*"
_NAME = re.compile(
    rf"(?<!\w)(?:{_CODE}|{_CAPITAL}(?:(?:\s+(?:of|de|van|von|der|and|the))?\s+{_CAPITAL}(?![\w-]))*)"
)
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?=\S)[^.!?\n]*)*")
_TELLING = re.compile(r"(?=.*[^\W\d_])(?=.*\d)|^\w+[^\W\d_a-z]$")
"""A code has letters and digits, an acronym ends in a capital."""
_LONGEST = 80


class EntityGraph:
    """Both legs, and again with the entities that stand nearest to those of the question."""

    name = "entity_graph"
    needs_llm = False

    async def find(self, looking: Looking) -> Candidates:
        """See Pattern."""
        async with looking.snapshot() as legs:
            first = await looking.find()
            passages = await legs.show(first, _PASSAGES)
            edges = edges_of(each.text for each in passages)
            reached = reached_from(named_in(looking.question, edges), edges)
            looking.did("followed entities", entities=reached)
            if not reached:
                return first
            return await merged(looking, [first, await _with(legs, first, reached)], _either)


async def _with(legs: Legs, first: Candidates, entities: Sequence[str]) -> Candidates:
    """Look for the question's words together with those of entities; its meaning stays."""
    counts = {term.lexeme: (1 - _SHARE) * term.count for term in first.statistics.terms}
    total = sum(term.count for term in first.statistics.terms) or 1.0
    added = [lexeme for entity in entities for lexeme in lexemes(entity)]
    for lexeme in added:
        counts[lexeme] = counts.get(lexeme, 0.0) + _SHARE * total / len(added)
    return await legs.again(await legs.weigh(counts), first.questions)


def _either(scores: Sequence[float]) -> float:
    return sum(scores) / len(scores)


Edges = Mapping[str, Mapping[str, float]]
"""Of each entity those that stand in one sentence with it, and how often."""


def edges_of(texts: Iterable[str]) -> Edges:
    """Return the graph of the entities of some texts."""
    edges: defaultdict[str, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
    for text in texts:
        for sentence in _SENTENCE.findall(text):
            for one, other in combinations(entities_of(sentence)[:_MOST_OF_SENTENCE], 2):
                edges[one][other] += 1
                edges[other][one] += 1
    return edges


def entities_of(sentence: str) -> list[str]:
    """Return the names, acronyms and codes of a sentence, each once, without regard to case.

    A word that opens a sentence has a capital anyway: by itself it is a name only where it looks like a code.
    """
    begins = len(sentence) - len(sentence.lstrip())
    found: dict[str, None] = {}
    for match in _NAME.finditer(sentence):
        name = _telling_part(match.group()[:_LONGEST])
        alone = (match.start() == begins and name == match.group()) or name[:1].isdigit()
        if name and (" " in name or not alone or _TELLING.search(name)):
            found[name.casefold()] = None
    return list(found)


def _telling_part(name: str) -> str:
    """A name without an article or the like before it."""
    words = name.split()
    first = next((place for place, word in enumerate(words) if lexemes(word)), len(words))
    return " ".join(words[first:])


def named_in(question: str, edges: Edges) -> list[str]:
    """Return the entities all of whose lexemes a question has, however it writes them."""
    asked = set(lexemes(question))
    return [entity for entity in edges if set(lexemes(entity)) <= asked]


def reached_from(named: Sequence[str], edges: Edges) -> list[str]:
    """Return the entities in which a walk from those that were named is most often found, best first."""
    if not named:
        return []
    start = dict.fromkeys(named, 1 / len(named))
    at: Mapping[str, float] = start
    for _ in range(_ROUNDS):
        at = _step(at, start, edges)
    others = sorted((-share, entity) for entity, share in at.items() if entity not in start)
    return [entity for _, entity in others[:_HOPS]]


def _step(at: Mapping[str, float], start: Mapping[str, float], edges: Edges) -> Mapping[str, float]:
    """One step of the walk: along the edges, or back to the start."""
    after: defaultdict[str, float] = defaultdict(float)
    for entity, share in start.items():
        after[entity] += _RETURN * share
    for entity, share in at.items():
        out = sum(edges[entity].values())
        for other, count in edges[entity].items():
            after[other] += (1 - _RETURN) * share * count / out
    return after
