"""A server that does without a part is there all the same, and what it lacks is told with what to do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import orjson
import pytest

from knowlog.cli.doctor.model import Finding
from knowlog.cli.doctor.server import Target, check_server
from knowlog.settings import Settings, load_settings

AWAY = "left alone for a moment, because they did not answer well: language model mini at 127.0.0.1:9"


@contextmanager
def server(checks: dict[str, str]) -> Iterator[str]:
    """One that is ready with these parts, and takes every key."""
    body = orjson.dumps({"status": "degraded", "checks": checks, "items": []})

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *said: object) -> None:
            """Say nothing."""

    served = HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_port}"
    finally:
        served.shutdown()
        thread.join()
        served.server_close()


async def found(settings: Settings, checks: dict[str, str]) -> dict[str, Finding]:
    """What the doctor finds of it, by part."""
    with server({"database": "ok", **checks}) as url:
        return {each.part: each async for each in check_server(settings, Target(url, "kl_any"))}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a data directory of its own."""
    return load_settings({"KNOWLOG_DATA_DIR": str(tmp_path)})


async def test_a_server_whose_language_model_is_left_alone_runs(settings: Settings) -> None:
    """It is not said to be absent, and nobody is told of searches by words."""
    findings = await found(settings, {"language_models": AWAY})
    assert findings["server"].outcome == "ok"
    told = findings["server: language models"]
    assert (told.outcome, told.found) == ("warn", AWAY)
    assert "quotations" in told.mend


async def test_a_server_without_its_embedding_model_searches_by_words(settings: Settings) -> None:
    """The model of vectors is another matter than that of language."""
    findings = await found(settings, {"model": "The model is down. Start it."})
    assert "by words" in findings["server: model"].mend


async def test_a_server_that_refuses_questions_runs(settings: Settings) -> None:
    """In an overload, it is told what helps."""
    findings = await found(settings, {"questions": "several tenants ask more at once than can be answered"})
    assert findings["server"].outcome == "ok"
    assert "KNOWLOG_API_PROCESSES" in findings["server: questions"].mend


async def test_a_server_that_has_all_says_nothing_more(settings: Settings) -> None:
    """One line for it, one for the key."""
    assert list(await found(settings, {})) == ["server", "--key"]
