"""Who may see what, as a plain dictionary; and what every answer is held to."""

import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

CALLS, REVOCATIONS, SEED = 20_000, 150, 7
"""What is played where nobody says otherwise: with the whole suite."""
PAIRS, SLOWER = 500, 1.25
"""Of so many pairs, the median may be this much slower: of times that differ by a factor of two from call to call, the
median of 500 moves by 4 % (one standard error)."""

_SECRET = re.compile(rb"kq[0-9a-f]{24}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENGINE = re.compile(
    rb"Rows Removed by|Seq Scan|Index Scan|cost=\d|duplicate key value|violates \w+ constraint|SQLSTATE"
)
_OF_THE_MOMENT = re.compile(
    r'"(?:took_ms|request_id|last_used_at)":("[^"]*"|[^,}]*)|"(?:embedding|rechunking)":(?:null|\{[^}]*\})'
)
_HEADERS_OF_THE_MOMENT = re.compile(r"x-request-id|date|content-length|retry-after|(?:x-)?ratelimit.*")


_NOBODYS = "00000000-0000-0000-0000-000000000000"
"""Stands in rows that are of no key, in every tenant."""


def canary() -> str:
    """A word that nobody can guess and no text holds by chance."""
    return f"kq{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Person:
    """Somebody with a key, or without a `secret`: a browser. `groups` are the subjects for which the key stands."""

    name: str
    tenant: str
    secret: str
    groups: frozenset[str] = frozenset()
    address: str = "127.0.0.1"

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Got:
    """An answer. `said` is what the request itself held: that may come back."""

    status: int
    headers: dict[str, str]
    body: bytes
    said: bytes
    took_ns: int

    def json(self):
        return json.loads(self.body)

    def words(self, *forged: str) -> tuple[int, tuple, str]:
        """All that the answer says, but for what differs each time, and for the ids that were asked for."""
        text = _OF_THE_MOMENT.sub("", self.body.decode("utf-8", "replace"))
        for each in forged:
            text = text.replace(each, "FORGED")
        kept = {k: v for k, v in self.headers.items() if not _HEADERS_OF_THE_MOMENT.fullmatch(k)}
        return self.status, tuple(sorted(kept.items())), text


class Leak(AssertionError):
    """Something reached somebody who may not see it."""


class Oracle:
    """A dictionary: what is secret -> who may see it. What it does not know belongs to the tenant that saw it first."""

    def __init__(self) -> None:
        self.may: dict[str, frozenset[str]] = {}
        self._first: dict[str, str] = {}

    def allow(self, secret: str, readers: Iterable[str]) -> None:
        """From now on these may see it, and nobody else."""
        self.may[secret] = frozenset(readers)

    def beyond(self, who: Person | None, got: bytes, said: bytes) -> set[str]:
        """What stands in `got` and is not for `who`."""
        found = {each.decode() for each in set(_SECRET.findall(got)) if each not in said} - {_NOBODYS}
        return {each for each in found if not self._fits(who, each)}

    def _fits(self, who: Person | None, secret: str) -> bool:
        if secret in self.may:
            return who is not None and who.name in self.may[secret]
        tenant = who.tenant if who else ""
        return self._first.setdefault(secret, tenant) == tenant

    def closed(self) -> "Oracle":
        """What is left of it when its people have gone: nobody may see any of this."""
        after = Oracle()
        after.may = dict.fromkeys(self.may, frozenset())
        return after


@dataclass
class Tally:
    """How much was played, and what came out. `dear` counts what is not played each time that it is drawn. With `only`,
    that one is played each time, and nothing else of them.
    """

    budget: int
    calls: int = 0
    only: str | None = None
    by_surface: Counter = field(default_factory=Counter)
    dear: Counter = field(default_factory=Counter)
    leaks: list[str] = field(default_factory=list)
    forged: list[tuple[int, int]] = field(default_factory=list)
    """Nanoseconds of an answer about what is forbidden and of one about what does not exist, one after the other."""

    @property
    def over(self) -> bool:
        """Whether there is nothing more to find out."""
        return bool(self.leaks) or self.calls >= self.budget

    def count(self, surface: str) -> None:
        """One more call."""
        self.calls += 1
        self.by_surface[surface] += 1

    def leak(self, what: str) -> None:
        """Record a leak. Raises Leak."""
        self.leaks.append(what)
        raise Leak(what)

    def timing(self) -> float:
        """How long answers about what is forbidden take, by those about what is absent; 1 before there are some.

        The median of pairs: other work on the machine is the same for both of a pair, and each comes first in turn.
        """
        if len(self.forged) < 100:
            return 1.0
        return median(forbidden / absent for forbidden, absent in self.forged)

    @property
    def tells_by_time(self) -> bool:
        """Whether one can tell by the time what exists. Only of many pairs: then no noise reaches the bound."""
        return len(self.forged) >= PAIRS and self.timing() > SLOWER

    def go_on(self, figures: Mapping[str, float]) -> None:
        """Count on from what was played before."""
        self.calls = int(figures.get("calls", 0))
        for name, count in figures.items():
            for kind, counter in (("calls_", self.by_surface), ("rounds_", self.dear)):
                if name.startswith(kind):
                    counter[name.removeprefix(kind)] = int(count)

    def figures(self) -> dict[str, float]:
        """For people and programs. `bound_95`: with 95 % confidence fewer than this share of calls leaks (3 / n)."""
        return {
            "calls": self.calls,
            **{f"calls_{name}": count for name, count in sorted(self.by_surface.items())},
            **{f"rounds_{name}": count for name, count in sorted(self.dear.items()) if count},
            "leaks": len(self.leaks),
            "bound_95": 3 / max(1, self.calls),
            "forbidden_over_absent": round(self.timing(), 3),
        }


def speaks_of_the_engine(body: bytes) -> bool:
    """Whether an answer repeats what PostgreSQL says of itself: plans, costs, constraints."""
    return _ENGINE.search(body) is not None
