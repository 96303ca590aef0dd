"""Guards of one kind, one for each holder: what one tenant's dependency does opens no breaker of another's."""

from collections import Counter, OrderedDict
from collections.abc import Hashable
from threading import Lock

from knowlog.resilience.breaker import State
from knowlog.resilience.guard import Guard, Policy

_MOST = 1000
_KINDS: dict[str, "GuardsApart"] = {}


class GuardsApart:
    """Keeps the thousand that were asked for last. `kind` names all of them, in the plural: figures tell no holder."""

    def __init__(self, kind: str, policy: Policy, most: int = _MOST) -> None:
        self.kind = kind
        self.policy = policy
        self._most = most
        self._guards: OrderedDict[Hashable, Guard] = OrderedDict()
        self._lock = Lock()
        _KINDS[kind] = self

    def of(self, holder: Hashable, name: str) -> Guard:
        """Return the holder's guard, made at its first call; `name` is what its errors call the dependency."""
        with self._lock:
            found = self._guards.get(holder)
            if found is None:
                found = self._guards[holder] = Guard(name, self.policy)
                if len(self._guards) > self._most:
                    self._guards.popitem(last=False)
            self._guards.move_to_end(holder)
            return found

    def states(self) -> Counter[State]:
        """How many are in which state."""
        with self._lock:
            return Counter(guard.breaker.state for guard in self._guards.values())


def kinds_apart() -> list[GuardsApart]:
    """Every kind of this process, by name."""
    return [_KINDS[kind] for kind in sorted(_KINDS)]
