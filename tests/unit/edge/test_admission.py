"""Places and room: who is refused what, and that all comes back."""

import pytest

from knowlog.edge.admission import Admission, Stay
from knowlog.kernel.errors import LimitReached, Unavailable


def test_a_tenant_has_its_share_and_all_have_the_whole() -> None:
    """429 for the tenant, 503 when every place is taken."""
    admission = Admission(requests=4, room_bytes=100, share=0.5)
    stays = [Stay(admission) for _ in range(5)]
    for stay, holder in zip(stays, "aabb", strict=False):
        stay.begin(holder)
    with pytest.raises(LimitReached, match="share"):
        Stay(admission).begin("a")
    with pytest.raises(Unavailable):
        stays[4].begin("c")
    stays[0].end()
    stays[4].begin("c")
    assert admission.working.taken == 4


def test_a_body_that_comes_takes_no_place_of_work() -> None:
    """The place changes when the body is here, and is given back once."""
    admission = Admission(requests=1, room_bytes=100)
    stay = Stay(admission, arriving=True)
    stay.begin("a")
    other = Stay(admission)
    other.begin("b")
    with pytest.raises(Unavailable):
        stay.arrived()
    other.end()
    stay.arrived()
    assert (admission.arriving.taken, admission.working.taken) == (0, 1)
    stay.end()
    stay.end()
    assert admission.working.taken == 0


def test_a_share_is_never_nothing() -> None:
    """One place at least."""
    admission = Admission(requests=2, room_bytes=100, share=0.01)
    Stay(admission).begin("a")
    assert admission.working.taken == 1
