"""Documents by URL: a tenant whose addresses do not answer leaves room for the others."""

from contextlib import ExitStack

import pytest

from knowlog.edge import Fetches
from knowlog.kernel.errors import LimitReached


def test_one_tenant_has_a_quarter_of_what_is_fetched() -> None:
    """It is told to come again; another is served, and so is it when one of its own is over."""
    fetches = Fetches(8)
    with ExitStack() as under_way:
        under_way.enter_context(fetches.one_of("alice"))
        with fetches.one_of("alice"), pytest.raises(LimitReached), fetches.one_of("alice"):
            pass
        with fetches.one_of("bob"), fetches.one_of("alice"):
            pass


def test_the_last_places_are_for_tenants_that_have_none() -> None:
    """Four tenants that take all they may leave a place to a fifth, and nobody passes the limit."""
    fetches, taken = Fetches(8), 0
    with ExitStack() as under_way:
        for tenant in ("a", "a", "b", "b", "c", "c", "d", "d", "e", "f"):
            try:
                under_way.enter_context(fetches.one_of(tenant))
                taken += 1
            except LimitReached:
                assert tenant in ("d", "f")
        assert taken == 8
