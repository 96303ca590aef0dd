"""Turns for questions: how many the machine bears, who comes first, who is refused."""

import asyncio
from collections import Counter

import pytest

from knowlog.kernel.errors import KnowlogError, LimitReached, Unavailable
from knowlog.resilience import AdaptiveLimit, Turns, leave_turn
from knowlog.resilience.adaptive import LEAST, PROBE, PROBE_AFTER, PROBE_S, WINDOW
from knowlog.resilience.turns import MOMENT_S, PRESSED_WAITING


class Machine:
    """A clock, and calls that take as long as a machine of so many cores takes for them."""

    def __init__(self, cores: int) -> None:
        self.now = 0.0
        self.cores = cores
        self.slower = 1
        self.limit = AdaptiveLimit(clock=lambda: self.now)

    def work(self, windows: int, callers: int) -> int:
        """Let so many callers ask all the time; returns how many were let in at the end."""
        for _ in range(windows * WINDOW):
            at_once = min(callers, self.limit.now)
            began, took = self.now, 0.01 * self.slower * max(1.0, at_once / self.cores)
            self.now += took
            self.limit.took(began, under_way=at_once)
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


def test_calls_that_wait_for_each_other_do_not_tell_what_one_takes_by_itself() -> None:
    """Whether or not as many are under way as may be: else whoever is always busy would let in ever more."""
    machine = Machine(2)
    machine.work(3, 1)
    machine.work(20, 10)
    assert machine.limit.now > 10
    assert machine.limit.alone_s == pytest.approx(0.01)


def test_other_work_on_the_machine_is_not_what_a_call_takes() -> None:
    """It makes few calls slow, too, and passes; what stays slower is believed in the end."""
    machine = Machine(20)
    machine.work(3, 1)
    machine.slower = 5
    machine.work(3, 1)
    assert machine.limit.alone_s is not None
    assert machine.limit.alone_s < 0.014
    machine.work(20, 1)
    assert machine.limit.alone_s == pytest.approx(0.05)
    machine.slower = 1
    machine.work(1, 1)
    assert machine.limit.alone_s == pytest.approx(0.01)


def test_calls_that_cost_more_from_now_on_are_learnt_under_load() -> None:
    """A busy server looks again soon: it must not let in a fifth of what it bears until it is quiet."""
    machine = Machine(40)
    machine.work(3, 1)
    before = machine.work(150, 1000)
    machine.slower = 10
    assert machine.work(2 * PROBE_AFTER, 1000) > before * 0.7


def test_a_probe_that_does_not_end_is_given_up() -> None:
    """Where nearly all that is asked waits for other machines, few calls end here."""
    machine = Machine(8)
    machine.work(1, 1000)
    assert machine.limit.now == PROBE
    machine.now += PROBE_S
    assert machine.limit.now > PROBE


def test_a_probe_lets_in_no_more_than_there_is_room_for() -> None:
    """However small the pool of connections is."""
    limit = AdaptiveLimit(most=2)
    for _ in range(WINDOW):
        limit.took(0.0, under_way=2)
    assert (limit._probing, limit.now) == (True, 2)


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
    assert desk.turns.waiting <= 4 // 2 + PRESSED_WAITING
    assert desk.refused["alice"] + desk.refused["charlie"] >= 20
    for task in tasks:
        task.cancel()


async def test_fewer_that_wait_than_work_are_no_overload() -> None:
    """However long: each has its turn after no more than an answer takes."""
    desk = Desk(4)
    tasks = await desk.come(*["alice"] * 4, *["charlie"] * 3)
    for _ in range(50):
        desk.now += MOMENT_S / 10
        await desk.give_back(desk.held[0][0])
        tasks += await desk.come("alice")
    assert (desk.turns.waiting, desk.turns.pressed, desk.refused) == (3, False, {})
    for task in tasks:
        task.cancel()


async def test_whoever_waits_in_vain_is_told_so_as_the_overload_begins() -> None:
    """All that piled up until then would be answered too late."""
    desk = Desk(4)
    tasks = await desk.come(*["alice"] * 2, *["charlie"] * 2, *["alice", "charlie"] * 20)
    desk.now += MOMENT_S
    tasks += await desk.come("alice")
    await asyncio.sleep(0.01)
    assert desk.turns.waiting == 2 * PRESSED_WAITING
    assert desk.refused.total() == 39
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize(("refused", "free", "lasts"), [(4, 0, True), (3, 0, False), (4, 1, False)])
async def test_an_overload_lasts_while_too_many_are_refused(refused: int, free: int, lasts: bool) -> None:
    """In a moment as many as there are turns. While one of those is free, nobody is one too many."""
    desk = Desk(4 + free)
    await desk.come("alice", "alice", "charlie", "charlie")
    desk.turns._overload = True
    for _ in range(3):
        for _ in range(refused):
            desk.turns.turn_away()
        desk.now += MOMENT_S
        await desk.give_back("alice")
        await desk.come("alice")
    assert desk.turns.pressed == lasts


async def test_an_overload_is_over_after_a_silence() -> None:
    """However many were refused just before it: the next ones find free turns."""
    desk = Desk(4)
    await desk.come("alice", "alice", "charlie", "charlie")
    desk.turns._overload, desk.turns._counting_since = True, desk.now
    for _ in range(1000):
        desk.turns.turn_away()
    for _ in range(4):
        await desk.give_back(desk.held[0][0])
    desk.now += 2 * MOMENT_S
    await desk.come("alice", "charlie")
    assert not desk.turns.pressed


async def test_a_share_does_not_change_with_every_answer() -> None:
    """Who is let in on account of a short pause of another would be refused when that one comes again."""
    desk = Desk(4)
    await desk.come("alice", "bob", "charlie", "dora")
    for each in ("alice", "bob", "charlie"):
        await desk.give_back(each)
    assert desk.turns.bearable == 1 + PRESSED_WAITING
    for _ in range(3):
        desk.now += MOMENT_S
        await desk.come("bob")
        await desk.give_back("bob")
    assert desk.turns.bearable == 2 + PRESSED_WAITING


async def test_where_more_tenants_ask_than_there_are_turns_few_wait() -> None:
    """In an overload: as many as work, whoever they are; the others are not even looked at."""
    desk = Desk(4)
    tasks = await desk.come(*(f"tenant {number}" for number in range(7)))
    assert desk.turns.bearable == PRESSED_WAITING
    tasks += await desk.come("tenant 8")
    assert desk.turns.bearable == 0
    for task in tasks:
        task.cancel()


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


async def test_who_asked_is_told_once_that_its_turn_has_ended() -> None:
    """Whichever way it ends."""
    desk, told = Desk(2), Counter[str]()
    left = await desk.turns.take("alice", lambda: told.update(["left"]))
    ended = await desk.turns.take("alice", lambda: told.update(["ended"]))
    for _ in range(2):
        left.leave()
        ended.end()
    assert told == {"left": 1, "ended": 1}


async def test_who_goes_away_while_it_waits_takes_no_turn() -> None:
    """It would keep others waiting for an answer that nobody hears."""
    desk, gone = Desk(1), asyncio.get_running_loop().create_future()
    await desk.ask("alice")
    waiting = asyncio.create_task(desk.turns.take("alice", gone=gone))
    await asyncio.sleep(0)
    gone.set_result(None)
    with pytest.raises(KnowlogError):
        await waiting
    assert (desk.turns.working, desk.turns.waiting) == (1, 0)


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
