"""Whose turn it is: batches of work, and which of them begins next."""

import sys
from collections import Counter, defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from knowlog.bus import Event

LARGE_BYTES = 64 * 1024
_LARGE_PLACES = 1
_EXPRESS_PLACES = 4
_AHEAD = 12
"""So many events begin where nothing runs, and others may beside them: what is made of them is under way while the next
are prepared.
"""
_FEW = 4
"""So many events of a batch begin at a place beyond the others; the rest waits for its turn."""
_UNSUSPECTED = 2
"""What was begun so often may travel with others; after that it may be what ended its workers."""
_SHARE_ABROAD = 4
"""One tenant has at most every fourth of the places for work that waits on others."""
_MOST_TENANTS = 8
"""Whole batches of so many tenants at most wait for their turn in one worker."""
_NEWCOMERS = 24
"""First events of so many tenants more."""
_ABROAD = frozenset({"delivery.requested", "mail.requested", "refresh.requested"})
LaneName = Literal["small", "large", "abroad"]


@dataclass(eq=False, slots=True)
class Batch:
    """Events of one tenant and type that are handled together. Documents of `free_bytes` may join them; below 0: none."""

    events: list[Event]
    free_bytes: int = -1
    beyond: bool = False
    """Whether it began at one of the places that are for few events of who has nothing running."""

    @property
    def tenant_id(self) -> UUID:
        """Whose work it is."""
        return self.events[0].tenant_id

    @property
    def type(self) -> str:
        """What kind of work it is."""
        return self.events[0].type

    @property
    def lane(self) -> LaneName:
        """Where it runs: apart when it waits on another's machine, or is one document that takes its time."""
        if self.type in _ABROAD:
            return "abroad"
        return "large" if len(self.events) == 1 and size_of(self.events[0]) > LARGE_BYTES else "small"

    def takes_in(self, other: "Batch", most: int) -> bool:
        """Take in the events of another of the same tenant, where they fit and are `most` together."""
        size_bytes = sum(map(size_of, other.events))
        if (
            self.type != other.type or min(self.free_bytes, other.free_bytes) < 0
            or size_bytes > self.free_bytes or len(self.events) + len(other.events) > most
        ):  # fmt: skip
            return False
        self.events += other.events
        self.free_bytes -= size_bytes
        return True


@dataclass(slots=True)
class _Lane:
    """Batches of a kind: they have places of their own, so that small documents pass large ones. `most_each` bounds what
    one tenant may take of them.
    """

    places: int
    most_each: int | None = None
    running: Counter[UUID] = field(default_factory=Counter)
    beyond: int = 0

    def enter(self, batch: Batch) -> None:
        """It runs from now on."""
        self.running[batch.tenant_id] += 1
        self.beyond += batch.beyond

    def leave(self, batch: Batch) -> None:
        """It has ended."""
        self.running[batch.tenant_id] -= 1
        self.running += Counter()  # drops what is down to nothing
        self.beyond -= batch.beyond

    def admits(self, tenant_id: UUID) -> int:
        """How many events of a tenant may begin together. One of which nothing runs need not wait for a place, within
        limits: what begins so is soon done, or many tenants with much would hold these places as long as the others.
        """
        own = self.running[tenant_id]
        if self.most_each is not None and own >= self.most_each:
            return 0
        if self.running.total() - self.beyond < self.places:
            return _AHEAD if self.places > 1 and not self.running else sys.maxsize
        return _FEW if not own and self.beyond < _EXPRESS_PLACES else 0


class Turns:
    """Batches that wait, and the order in which they begin: start-time fair queueing.

    A tenant's clock advances by what it was served over its weight; the tenant whose clock is behind comes next,
    and one that comes new begins at the clock of the present. Goyal, Vin, Cheng: Start-time Fair Queueing (1996).
    """

    def __init__(self, places: int, places_abroad: int = 0, together: int = 48) -> None:
        self._together = together
        self._lanes: dict[LaneName, _Lane] = {
            "small": _Lane(places),
            "large": _Lane(_LARGE_PLACES),
            "abroad": _Lane(places_abroad, max(1, places_abroad // _SHARE_ABROAD)),
        }
        self._waiting: dict[UUID, deque[Batch]] = {}
        self._clocks: defaultdict[UUID, float] = defaultdict(float)
        self._now = 0.0

    def add(self, batches: Sequence[Batch]) -> None:
        """Take up batches that wait for their turn. While they wait, others of the tenant join them: to handle few events
        costs nearly as much as to handle many.
        """
        for batch in batches:
            queue = self._waiting.setdefault(batch.tenant_id, deque())
            if not any(each.takes_in(batch, self._together) for each in queue):
                queue.append(batch)

    def begin(self) -> Batch | None:
        """Take out the batch that begins now; None when no place is free for any."""
        for tenant_id in sorted(self._waiting, key=self._clock):
            queue = self._waiting[tenant_id]
            for batch in queue:
                if most := self._lanes[batch.lane].admits(tenant_id):
                    begun = self._take_out(queue, batch, most)
                    if not queue:
                        del self._waiting[tenant_id]
                    self._serve(begun)
                    return begun
        return None

    def _take_out(self, queue: deque[Batch], batch: Batch, most: int) -> Batch:
        begun = Batch(batch.events[:most], beyond=most == _FEW)
        batch.events = batch.events[most:]
        if not batch.events:
            queue.remove(batch)
        return begun

    def end(self, batch: Batch) -> None:
        """Give a batch's place back."""
        self._lanes[batch.lane].leave(batch)

    def drop(self, lost: Collection[UUID]) -> None:
        """Take out events that are not to begin any more."""
        for tenant_id, queue in list(self._waiting.items()):
            for batch in list(queue):
                batch.events = [event for event in batch.events if event.event_id not in lost]
                if not batch.events:
                    queue.remove(batch)
            if not queue:
                del self._waiting[tenant_id]

    def waiting(self) -> Counter[UUID]:
        """How many events of each tenant wait for their turn here."""
        return Counter({
            tenant: sum(len(batch.events) for batch in queue) for tenant, queue in self._waiting.items()
        })  # fmt: skip

    def room(self, batch: int) -> tuple[int, list[UUID]]:
        """How many events to take, `batch` or fewer, and the tenants of which there are enough here. Where it is
        crowded, the first one of a tenant of which nothing waits here comes in all the same: a place of its own may be
        free for it.
        """
        waiting = self.waiting()
        enough = [tenant for tenant, count in waiting.items() if count >= batch]
        if len(enough) < _MOST_TENANTS and waiting.total() < _MOST_TENANTS * batch:
            return batch, enough
        bearable = len(waiting) < _MOST_TENANTS + _NEWCOMERS and waiting.total() < 2 * _MOST_TENANTS * batch
        return int(bearable), list(waiting)

    def _clock(self, tenant_id: UUID) -> float:
        return max(self._clocks.get(tenant_id, 0.0), self._now)

    def _serve(self, batch: Batch) -> None:
        clock = self._now = self._clock(batch.tenant_id)
        self._clocks[batch.tenant_id] = clock + len(batch.events) / batch.events[0].weight
        self._lanes[batch.lane].enter(batch)
        for tenant_id in [each for each, at in self._clocks.items() if at <= self._now]:
            del self._clocks[tenant_id]  # to be behind the present is the same as to be new


def split(events: Sequence[Event], size_bytes: int) -> list[Batch]:
    """Group events into batches of one tenant and type whose documents together stay below `size_bytes`.

    A large one goes alone, and so does one that was begun twice before: it may have been what ended its workers. What
    waits on another's machine goes alone too.
    """
    batches: list[Batch] = []
    room: dict[tuple[UUID, str], Batch] = {}
    for event in events:
        key, size = (event.tenant_id, event.type), size_of(event)
        if size > LARGE_BYTES or event.attempts > _UNSUSPECTED or event.type in _ABROAD:
            batches.append(Batch([event]))
            continue
        batch = room.get(key)
        if batch is None or size > batch.free_bytes:
            batch = room[key] = Batch([], size_bytes)
            batches.append(batch)
        batch.events.append(event)
        batch.free_bytes -= size
    return batches


def size_of(event: Event) -> int:
    """The size in bytes of the document that an event is about, as far as it says."""
    return int(event.data.get("size_bytes", 0))
