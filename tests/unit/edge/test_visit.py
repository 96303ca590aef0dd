"""Request ids."""

import pytest

from knowlog.edge.visit import choose_request_id


def test_a_plain_request_id_is_kept() -> None:
    """Clients can follow a request by an id of their own."""
    assert choose_request_id("deploy-7.check_3") == "deploy-7.check_3"


@pytest.mark.parametrize("offered", [None, "", "a b", 'x"}\n{"level":"error"', "-x", "x" * 65, "ü"])
def test_a_strange_request_id_is_replaced(offered: str | None) -> None:
    """One that could forge a log line, or fill it, is not taken."""
    chosen = choose_request_id(offered)
    assert chosen != offered
    assert len(chosen) == 32
