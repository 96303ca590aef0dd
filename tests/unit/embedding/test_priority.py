"""Threads that embed questions step back behind the one that answers."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from knowlog.embedding.adapters.bert.priority import step_back

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a niceness for each thread")


def own_niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def test_a_thread_that_computes_is_nicer_than_its_process_which_stays_as_it_was() -> None:
    """The thread that answers is not slowed down."""
    before = own_niceness()
    with ThreadPoolExecutor(1, initializer=step_back) as threads:
        assert threads.submit(own_niceness).result() > before or before == 19
    assert own_niceness() == before
