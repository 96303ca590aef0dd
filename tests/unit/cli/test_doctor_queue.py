"""What `knowlog doctor` says of the queue: only what is due counts as work that nobody takes."""

from pathlib import Path

from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.database import judge_queue
from knowlog.cli.doctor.server import Target
from knowlog.settings import load_settings

_DEPTH = {"running": 1, "failed": 0}


def test_work_for_a_later_try_is_no_backlog() -> None:
    """Deliveries that wait for their next attempt, however many and however old, want no other worker."""
    found = judge_queue(_DEPTH, [{"type": "delivery.requested", "due": 0, "later": 9, "oldest_s": 0.0}])
    assert (found.outcome, found.found) == ("ok", "0 due, 1 running, 0 failed, 9 for later")


def test_the_queue_of_the_oldest_is_named() -> None:
    """Whoever starts a worker must know for which queue."""
    rows = [
        {"type": "delivery.requested", "due": 4, "later": 1, "oldest_s": 10.0},
        {"type": "document.received", "due": 2, "later": 0, "oldest_s": 900.0},
    ]
    found = judge_queue(_DEPTH, rows)
    assert found.outcome == "warn"
    assert "6 due" in found.found
    assert "queue documents, is due for 900 s" in found.found
    assert "--queues documents" in found.mend


def test_work_that_nobody_takes_wants_a_worker() -> None:
    """After half a minute, and not only when it has become old; while one works, others may wait."""
    rows = [{"type": "document.received", "due": 37, "later": 0, "oldest_s": 31.0}]
    found = judge_queue({"running": 0, "failed": 0}, rows)
    assert (found.outcome, "no worker takes" in found.found) == ("warn", True)
    assert "`knowlog worker`" in found.mend
    assert judge_queue(_DEPTH, rows).outcome == "ok"


def test_an_empty_queue_is_well() -> None:
    """Nothing waits."""
    assert judge_queue(_DEPTH, []).found == "0 due, 1 running, 0 failed"


async def test_an_address_of_a_broker_that_is_not_used_is_told(tmp_path: Path) -> None:
    """Who has named a broker's address believes that it is the queue."""
    nobody = {"KNOWLOG_DATA_DIR": str(tmp_path)}
    named = load_settings({**nobody, "KNOWLOG_BUS_URL": "redis://127.0.0.1:6379/0"})
    (found,) = [each async for each in check_broker(named, Target())]
    assert found.outcome == "warn"
    assert "Set KNOWLOG_BUS_BROKER" in found.mend
    (found,) = [each async for each in check_broker(load_settings(nobody), Target())]
    assert found.outcome == "ok"
