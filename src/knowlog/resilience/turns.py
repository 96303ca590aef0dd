"""Turns for questions: as many at once as the machine bears, and each tenant its share of them.

Who comes when all turns are taken waits for a while, and a turn that is given back goes to the tenant that has
fewest: one that asks ten times as much as others holds up itself. Where as many wait as work for more than a moment, of
several tenants, it is no burst but an overload. Then the newest goes first, few of each tenant wait, and not for long:
what is answered is answered as fast as ever, and the rest is refused at once (adaptive LIFO, after Maurer 2015, "Fail
at Scale", https://queue.acm.org/detail.cfm?id=2839461). It ends when fewer are refused in a moment than could wait.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic

from knowlog.kernel.errors import LimitReached, Unavailable
from knowlog.resilience.adaptive import AdaptiveLimit

MOMENT_S = 1.0
"""A queue that stands for longer is no burst."""
_SILENCE = 2
"""Moments: in the last of them, nobody came and nothing ended."""
PRESSED_WAIT_S = 0.5
"""In an overload. So few wait that hardly any has to wait for so long."""
PRESSED_WAITING = 1
"""Of each tenant beyond its share, in an overload. Whoever waits has cost the look at its key."""
LATER_S = 1
_TURN: ContextVar["Turn | None"] = ContextVar("turn", default=None)


class Turn:
    """What one question holds. It is given back once, at its end, or when the question begins to wait for others'
    machines.
    """

    def __init__(
        self, turns: "Turns", holder: str, began: float, has_ended: Callable[[], None] | None
    ) -> None:
        self._turns: Turns | None = turns
        self._holder = holder
        self._began = began
        self._has_ended = has_ended
        _TURN.set(self)

    def end(self) -> None:
        """The question is answered: what that took tells how much the machine bears."""
        if (turns := self._let_go()) is not None:
            turns.give_back(self._holder, self._began)

    def leave(self) -> None:
        """The question was refused, or waits for others' machines: what it takes says nothing of this one."""
        if (turns := self._let_go()) is not None:
            turns.give_back(self._holder, None)

    def _let_go(self) -> "Turns | None":
        turns, self._turns = self._turns, None
        if turns is not None and self._has_ended is not None:
            self._has_ended()
        return turns


def leave_turn() -> None:
    """What runs here is going to wait for another machine: others can go on meanwhile."""
    if (turn := _TURN.get()) is not None:
        turn.leave()


class Turns:
    """`wait_s`: so long a question waits for its turn, and `most_waiting` of a tenant do, while nothing is pressing."""

    def __init__(
        self,
        limit: AdaptiveLimit,
        wait_s: float = 5.0,
        most_waiting: int = 256,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.limit = limit
        self.working = 0
        self.refused = 0
        self._wait_s = wait_s
        self._most_waiting = most_waiting
        self._clock = clock
        self._of: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[bool]]] = {}
        self._lately: tuple[set[str], set[str]] = set(), set()
        """Who has asked in this moment, and in the one before."""
        self._standing_since: float | None = None
        self._overload = False
        self._counting_since = 0.0
        self._too_many = 0

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def pressed(self) -> bool:
        """Whether more is asked than can be answered, by several tenants and for more than a moment."""
        return self._overload and len(self._of.keys() | self._waiting.keys()) > 1

    @property
    def bearable(self) -> int:
        """In an overload: so many questions of one holder may be under way, its share of turns and those that wait. Where
        there are more holders than turns, nobody comes while as many wait as work.
        """
        return 0 if self._crowded and self._holders > self.limit.now else self._most_each

    @property
    def _crowded(self) -> bool:
        return self.waiting >= self.limit.now

    @property
    def _holders(self) -> int:
        """How many have asked lately: a share that changes with every answer would let in whom it then refuses."""
        return len(self._lately[0] | self._lately[1] | self._of.keys())

    @property
    def _most_each(self) -> int:
        return self.limit.now // max(1, self._holders) + PRESSED_WAITING

    def turn_away(self) -> None:
        """A question is refused; one too many, if all turns are taken."""
        self.refused += 1
        self._look()
        self._too_many += self.working >= self.limit.now

    @property
    def free(self) -> bool:
        """Whether nobody has to wait."""
        return self.working < self.limit.now and not self._waiting

    async def take(
        self,
        holder: str,
        has_ended: Callable[[], None] | None = None,
        gone: "asyncio.Future[None] | None" = None,
    ) -> Turn:
        """Take a turn, perhaps after a while; `has_ended` is called as it is given back. Raises LimitReached where the
        tenant asks for more than its share, Unavailable where all together do, or where `gone` is done: nobody waits.
        """
        self._look()
        self._lately[0].add(holder)
        if self.free:
            self._begin(holder)
        elif not await self._wait(holder, gone):
            self.turn_away()
            raise self._refusal(holder)
        return Turn(self, holder, self._clock(), has_ended)

    def give_back(self, holder: str, began: float | None) -> None:
        """A turn has ended; None: it says nothing of this machine."""
        if began is not None:
            self.limit.took(began, under_way=self.working)
        self._end(holder)
        self._pass_on()

    async def _wait(self, holder: str, gone: "asyncio.Future[None] | None") -> bool:
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        timer = asyncio.get_running_loop().call_later(self._join(holder, waiter), _refuse, waiter)
        if gone is not None:
            gone.add_done_callback(lambda _: _refuse(waiter))
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.give_back(holder, None)
            raise
        finally:
            timer.cancel()
            self._forget(holder, waiter)

    def _join(self, holder: str, waiter: "asyncio.Future[bool]") -> float:
        """Stand behind the others of the tenant, of whom the oldest go where there are too many. Returns how long to
        wait.
        """
        own = self._waiting.setdefault(holder, deque())
        pressed = self.pressed
        if not pressed and len(own) >= self._most_waiting:
            _refuse(waiter)
            return 0
        own.append(waiter)
        if pressed:
            self._thin_out(holder)
        return PRESSED_WAIT_S if pressed else self._wait_s

    def _thin_out(self, holder: str) -> None:
        """Refuse the oldest of a tenant, where too many wait for an overload."""
        own, most = self._waiting[holder], self._most_each - self._of[holder]
        while len(own) > max(0, most):
            _refuse(own.popleft())
        if not own:
            del self._waiting[holder]

    def _look(self) -> None:
        """Find out whether an overload begins or ends: see the module."""
        now, crowded = self._clock(), self._crowded
        if not crowded:
            self._standing_since = None
        elif self._standing_since is None:
            self._standing_since = now
        elif not self._overload and now - self._standing_since >= MOMENT_S:
            self._begin_overload(now)
        if (moments := (now - self._counting_since) / MOMENT_S) >= 1:
            pressing = moments < _SILENCE and self._too_many >= moments * self.limit.now
            self._overload = self._overload and (crowded or pressing)
            self._counting_since, self._too_many = now, 0
            self._lately = set(), self._lately[0] if moments < _SILENCE else set()

    def _begin_overload(self, now: float) -> None:
        self._overload, self._counting_since, self._too_many = True, now, 0
        if self.pressed:
            for holder in [*self._waiting]:
                self._thin_out(holder)

    def _pass_on(self) -> None:
        """Give what is free to the tenants that have fewest."""
        self._look()
        while self._waiting and self.working < self.limit.now:
            holder = min(self._waiting, key=self._of.__getitem__)
            own = self._waiting[holder]
            waiter = own.pop() if self.pressed else own.popleft()
            if not own:
                del self._waiting[holder]
            if not waiter.done():
                self._begin(holder)
                waiter.set_result(True)

    def _forget(self, holder: str, waiter: "asyncio.Future[bool]") -> None:
        own = self._waiting.get(holder)
        if own is not None and waiter in own:
            own.remove(waiter)
        if own is not None and not own:
            self._waiting.pop(holder, None)

    def _begin(self, holder: str) -> None:
        self.working += 1
        self._of[holder] += 1

    def _end(self, holder: str) -> None:
        self.working -= 1
        self._of[holder] -= 1
        if not self._of[holder]:
            del self._of[holder]

    def _refusal(self, holder: str) -> LimitReached | Unavailable:
        holders = len(self._of.keys() | {holder})
        if holders > 1 and self._of[holder] >= self.limit.now / holders:
            return LimitReached(
                "Your tenant asks more questions at once than its share of this server. Send this again in a moment.",
                retry_after_s=LATER_S,
            )
        return Unavailable(
            "More questions are asked than this server can answer at once. Send this again in a moment.",
            retry_after_s=LATER_S,
        )


def _refuse(waiter: "asyncio.Future[bool]") -> None:
    if not waiter.done():
        waiter.set_result(False)
