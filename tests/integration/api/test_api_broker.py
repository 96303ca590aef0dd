"""/v1/queues/broker: which broker the server uses; the doctor asks it, and the one that its own shell's settings name."""

from pathlib import Path

from api_scene import Client, problem

from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.server import Target
from knowlog.settings import load_settings


async def test_the_operator_is_told_of_the_broker(operator: Client, alice: Client) -> None:
    """A tenant's owner is not."""
    problem(await alice.get("/v1/queues/broker"), 401, "unauthenticated")
    told = await operator.get("/v1/queues/broker")
    assert told.json() == {
        "kind": "postgres",
        "found": None,
        "trouble": None,
        "unreadable": {},
        "clock_ahead_s": None,
    }


async def test_the_doctor_looks_at_the_broker_of_the_server(address: str, tmp_path: Path) -> None:
    """In a shell whose settings name another, which is not there, it tells of both: so one looks before the queue is
    switched. Where no server runs, those settings count alone.
    """
    shell = {
        "KNOWLOG_DATA_DIR": str(tmp_path),
        "KNOWLOG_BUS_BROKER": "redis",
        "KNOWLOG_BUS_URL": "redis://127.0.0.1:9/0",
        "KNOWLOG_API_OPERATOR_KEY": "the-operator-of-these-tests",
    }
    (found, named) = [each async for each in check_broker(load_settings(shell), Target(address))]
    assert (named.part, named.outcome) == ("broker named here", "fail")
    assert named.found.startswith("redis: Redis cannot be reached")
    assert found.outcome == "ok"
    assert found.found == "none; PostgreSQL is the queue, says the server; the settings here name redis"
    (found,) = [each async for each in check_broker(load_settings(shell), Target("http://127.0.0.1:9"))]
    assert (found.outcome, found.found.startswith("redis: ")) == ("fail", True)
