"""Turns for questions: how many the machine bears, who comes first, who is refused."""

import asyncio
from collections import Counter

import pytest

from knowlog.kernel.errors import KnowlogError, LimitReached, Unavailable
from knowlog.resilience import AdaptiveLimit, Turns, leave_turn
from knowlog.resilience.adaptive import LEAST, PROBE, PROBE_AFTER, WINDOW
from knowlog.resilience.turns import MOMENT_S, PRESSED_WAITING


class Machine:
    """A clock, and calls that take as long as a machine of so many cores takes for them."""

    def __init__(self, cores: int) -> None:
        self.now = 0.0
        self.cores = cores
        self.limit = AdaptiveLimit(clock=lambda: self.now)

    def work(self, windows: int, callers: int) -> int:
        """Let so many callers ask all the time; returns how many were let in at the end."""
        for _ in range(windows * WINDOW):
            at_once = min(callers, self.limit.now)
            began, took = self.now, 0.01 * max(1.0, at_once / self.cores)
            self.now += took
            self.limit.took(began, full=callers >= self.limit.now)
        return self.limit.now


@pytest.mark.parametrize("cores", [2, 8, 40])
def test_as_many_are_let_in_as_the_machine_bears(cores: int) -> None:
    """Enough that no core idles, and not much more: what is beyond only waits inside."""
    machine = Machine(cores)
    machine.work(3, 1)
    assert cores <= machine.work(PROBE_AFTER - 10, 1000) <= max(LEAST, 4 * cores + 16)


def test_a_machine_that_becomes_slower_takes_fewer_and_then_more_again() -> None:
    """Other work on it is none of ours to wait for."""
    machine = Machine(20)
    machine.work(3, 1)
    before = machine.work(150, 1000)
    machine.cores = 4
    slower = machine.work(150, 1000)
    machine.cores = 20
    assert slower < before * 0.7
    assert machine.work(150, 1000) > slower * 1.3


def test_what_a_call_takes_by_itself_is_found_under_load_too() -> None:
    """A server that is busy from its start looks for it with few at once, now and then."""
    machine = Machine(8)
    machine.work(2, 1000)
    assert machine.limit.alone_s == pytest.approx(0.01)
    machine.work(PROBE_AFTER, 1000)
    assert PROBE <= machine.limit.now <= 50


class Desk:
    """Turns of a fixed number, and who holds them."""

    def __init__(self, most: int, wait_s: float = 5.0) -> None:
        self.now = 0.0
        limit = AdaptiveLimit(first=most, most=most, clock=lambda: self.now)
        self.turns = Turns(limit, wait_s, clock=lambda: self.now)
        self.held: list[tuple[str, object]] = []
        self.refused: Counter[str] = Counter()

    async def ask(self, holder: str) -> None:
        """Take a turn and keep it, or be refused."""
        try:
            self.held.append((holder, await self.turns.take(holder)))
        except KnowlogError:
            self.refused[holder] += 1

    async def come(self, *holders: str) -> list[asyncio.Task[None]]:
        """Ask, one after the other, waiting for none."""
        tasks = [asyncio.create_task(self.ask(each)) for each in holders]
        await asyncio.sleep(0)
        return tasks

    async def give_back(self, holder: str) -> None:
        """The oldest turn of a tenant ends."""
        found = next(each for each in self.held if each[0] == holder)
        self.held.remove(found)
        found[1].end()  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)

    @property
    def of(self) -> Counter[str]:
        """How many turns each holds."""
        return Counter(holder for holder, _ in self.held)


async def test_a_turn_goes_to_the_tenant_that_has_fewest() -> None:
    """One that asks ten times as much waits behind the others."""
    desk = Desk(4)
    tasks = await desk.come(*["alice"] * 14, "charlie", "charlie")
    assert desk.of == {"alice": 4}
    for _ in range(2):
        await desk.give_back("alice")
    assert desk.of == {"alice": 2, "charlie": 2}
    for task in tasks:
        task.cancel()


async def test_a_burst_of_one_tenant_is_answered_whole() -> None:
    """In the order in which it came: nobody else is harmed by its waiting."""
    desk = Desk(2)
    tasks = await desk.come(*["alice"] * 40)
    for _ in range(38):
        desk.now += 0.1
        await desk.give_back("alice")
    await asyncio.gather(*tasks)
    assert (desk.refused, len(desk.held)) == ({}, 2)


async def test_an_overload_is_refused_at_once_and_the_newest_goes_first() -> None:
    """When several tenants have waited for more than a moment, few of each wait on."""
    desk = Desk(4)
    tasks = await desk.come(*["alice"] * 4, "charlie")
    for _ in range(12):
        desk.now += MOMENT_S / 10
        tasks += await desk.come("alice", "charlie")
    await asyncio.sleep(0.01)
    assert desk.turns.pressed
    assert desk.turns.waiting <= 2 * PRESSED_WAITING
    assert desk.refused["alice"] + desk.refused["charlie"] >= 12
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize("free", [0, 1])
async def test_an_overload_lasts_while_questions_are_turned_away_and_all_turns_are_taken(free: int) -> None:
    """Who is refused unseen does not wait, and is no less one too many; where turns are free, nobody is one."""
    desk = Desk(4 + free)
    await desk.come("alice", "alice", "charlie", "charlie")
    desk.turns._overload = True
    for _ in range(3):
        desk.now += MOMENT_S * 0.9
        desk.turns.turn_away()
        await desk.give_back("alice")
        await desk.come("alice")
    assert desk.turns.pressed == (not free)


async def test_who_has_its_share_is_told_so_and_who_has_not_too() -> None:
    """The one by 429, the other by 503; both may come again."""
    desk = Desk(4, wait_s=0.01)
    await asyncio.gather(*(desk.ask("alice") for _ in range(4)))
    with pytest.raises(Unavailable):
        await desk.turns.take("charlie")
    await desk.give_back("alice")
    await desk.ask("charlie")
    with pytest.raises(LimitReached):
        await desk.turns.take("alice")
    assert desk.turns.refused == 2


async def test_a_question_that_waits_for_others_leaves_its_turn() -> None:
    """And gives it back once: at its end nothing is left to give."""
    desk = Desk(1)
    turn = await desk.turns.take("alice")
    leave_turn()
    assert desk.turns.working == 0
    await desk.ask("charlie")
    turn.end()
    assert desk.turns.working == 1


async def test_nothing_is_lost_where_those_who_wait_give_up() -> None:
    """A task that is cancelled while it waits, or as its turn comes, leaves the turn to others."""
    desk = Desk(1)
    await desk.ask("alice")
    waiting = await desk.come(*["alice"] * 5)
    desk.held.pop()[1].end()  # type: ignore[attr-defined]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (desk.turns.working - len(desk.held), desk.turns.waiting) == (0, 0)
    assert (await desk.turns.take("charlie")) if not desk.held else True
