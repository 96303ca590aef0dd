"""The circuit breaker, on a clock that the tests turn."""

import pytest

from knowlog.kernel.errors import NotFound, Unavailable
from knowlog.resilience import Breaker, CircuitOpen, DeadlinePassed


class Scene:
    """A breaker, and the clock that it reads."""

    def __init__(self) -> None:
        self.now = 0.0
        self.breaker = Breaker("thing", slow_s=2, clock=lambda: self.now)

    def call(self, error: Exception | None = None, took_s: float = 0.01) -> None:
        try:
            with self.breaker.watch():
                self.now += took_s
                if error:
                    raise error
        except (Unavailable, NotFound) as caught:
            if caught is not error:
                raise

    def refused(self) -> bool:
        try:
            self.call()
        except CircuitOpen:
            return True
        return False

    def open(self) -> None:
        while self.breaker.state == "closed":
            self.call(Unavailable("down"))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_it_opens_within_twenty_calls_of_an_outage(scene: Scene) -> None:
    """However good the calls before were."""
    for _ in range(100):
        scene.call()
    failed = 0
    while scene.breaker.state == "closed":
        scene.call(Unavailable("down"))
        failed += 1
    assert failed == 10
    assert scene.refused()


def test_slow_calls_are_bad_calls(scene: Scene) -> None:
    """They succeed, and it opens."""
    for _ in range(10):
        scene.call(took_s=2.5)
    assert scene.breaker.state == "open"


@pytest.mark.parametrize("error", [NotFound("absent"), DeadlinePassed("no time was left")])
def test_what_says_nothing_of_the_dependency_does_not_open_it(scene: Scene, error: Exception) -> None:
    """The caller asked for what is not there, or had no time left."""
    for _ in range(40):
        scene.call(error)
    assert scene.breaker.state == "closed"


def test_a_call_that_was_cut_off_late_is_a_bad_one(scene: Scene) -> None:
    """It had a fair time."""
    for _ in range(10):
        scene.call(DeadlinePassed("cut off"), took_s=1.5)
    assert scene.breaker.state == "open"


def test_one_probe_is_let_through_at_a_time(scene: Scene) -> None:
    """The second caller is refused while the first is under way."""
    scene.open()
    scene.now += 1.1
    with scene.breaker.watch():
        assert scene.refused()


def test_a_cancelled_probe_leaves_its_place(scene: Scene) -> None:
    """Else nobody would ever be let through again."""
    scene.open()
    scene.now += 1.1
    with pytest.raises(KeyboardInterrupt), scene.breaker.watch():
        raise KeyboardInterrupt
    assert not scene.refused()


def test_after_a_whole_outage_three_good_probes_close_it(scene: Scene) -> None:
    """And one bad one before begins the wait anew."""
    scene.open()
    scene.now += 1.1
    scene.call()
    scene.call(Unavailable("down"))
    assert scene.refused()
    scene.now += 1.1
    for _ in range(3):
        assert scene.breaker.state == "half-open"
        scene.call()
    assert scene.breaker.state == "closed"


def test_it_does_not_flap_where_half_of_the_calls_fail(scene: Scene) -> None:
    """51 of 100 fail, for ten minutes of a call each tenth of a second: it opens once, and stays so."""
    for count in range(6000):
        failing = (count * 51) // 100 != ((count + 1) * 51) // 100
        scene.now += 0.1
        try:
            scene.call(Unavailable("down") if failing else None)
        except CircuitOpen:
            continue
    assert scene.breaker.opened == 1


def test_a_call_of_an_earlier_time_changes_nothing(scene: Scene) -> None:
    """It began before the breaker opened, and ends while probes are made."""

    def late() -> None:
        with scene.breaker.watch():
            scene.open()
            scene.now += 1.1
            scene.call()
            raise Unavailable("late")

    with pytest.raises(Unavailable, match="late"):
        late()
    assert scene.breaker.state == "half-open"


@pytest.mark.parametrize(("took_s", "most_s"), [((), None), ((0.01,) * 9, 2.0), ((0.1, 1.5, 0.1), 3.0)])
def test_a_probe_has_twice_the_time_of_a_good_call(
    scene: Scene, took_s: tuple[float, ...], most_s: float | None
) -> None:
    """Two seconds at least; where no good call is known, what its caller gives."""
    for each in took_s:
        scene.call(took_s=each)
    scene.open()
    scene.now += 1.1
    with scene.breaker.watch() as given_s:
        assert given_s == most_s


def test_other_calls_have_what_their_caller_gives(scene: Scene) -> None:
    """However long the good ones before took."""
    scene.call()
    with scene.breaker.watch() as given_s:
        assert given_s is None
