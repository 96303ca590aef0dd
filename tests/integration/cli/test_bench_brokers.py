"""`knowlog bench brokers` on a real server, small; and what doctor says of a broker."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from knowlog.cli.app import app
from knowlog.cli.doctor.broker import check_broker
from knowlog.cli.doctor.server import Target
from knowlog.kernel.errors import Misconfigured
from knowlog.settings import load_settings
from servers import running_server


async def findings(environment: dict[str, str]):
    return [each async for each in check_broker(load_settings(environment), Target())]


def test_an_unknown_broker_is_told() -> None:
    """With the ones there are."""
    done = CliRunner().invoke(app, ["bench", "brokers", "--broker", "pigeon"])
    assert isinstance(done.exception, Misconfigured) or done.exit_code == 2


async def test_doctor_names_the_broker(tmp_path) -> None:
    """Its version where it runs, what is to be set where it is full or drops what waits, or does not run."""
    own = {"KNOWLOG_DATA_DIR": str(tmp_path)}
    assert (await findings(own))[0].found == "none; PostgreSQL is the queue"
    with running_server("redis") as server:
        environment = {**own, "KNOWLOG_BUS_BROKER": "redis", "KNOWLOG_BUS_URL": server.url}
        [found] = await findings(environment)
        assert (found.outcome, found.found[:5]) == ("ok", "Redis")
        if server.own is not None:
            async with Redis.from_url(server.url) as client:
                await client.config_set("maxmemory", 1)
                await client.config_set("maxmemory-policy", "allkeys-lru")
            [found] = await findings(environment)
            assert (found.outcome, "full" in found.found, "allkeys-lru" in found.found) == (
                "warn",
                True,
                True,
            )
            assert "Raise maxmemory" in found.mend
            assert "noeviction" in found.mend
            await asyncio.to_thread(server.own.kill)
            [found] = await findings(environment)
            assert (found.outcome, "KNOWLOG_BUS_URL" in found.found) == ("fail", True)


def test_the_guide_works(tmp_path: Path) -> None:
    """Its block is run as it stands, with the programs of this environment: both sides are measured."""
    page = (Path(__file__).parents[3] / "docs/guide/choosing-a-queue.md").read_text()
    block = re.search(
        r"<!-- executed by tests/integration/cli/test_bench_brokers.py -->\n```bash\n(.*?)```", page, re.S
    )
    assert block
    with running_server("redis") as server:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("KNOWLOG_")}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        environment |= {"REDIS_URL": server.url, "KNOWLOG_DATA_DIR": str(tmp_path), "COLUMNS": "200"}
        done = subprocess.run(
            ["bash", "-euc", block[1]],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Redis" in done.stdout
    metrics = orjson.loads((tmp_path / "figures.json").read_bytes())["metrics"]
    assert metrics["redis_ratio"] == pytest.approx(metrics["redis_events_s"] / metrics["redis_bare_events_s"])
