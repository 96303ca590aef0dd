"""What `knowlog ingest` says while no document comes to its end."""

import pytest
from test_client import server

from knowlog.cli.client import Client
from knowlog.cli.jobs import _follow
from knowlog.cli.uploading import Outcome, _Patience

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
STATE = b'event: state\ndata: {"state": "embedding"}\n\n'
PROGRESS = b'event: progress\ndata: {"embedded": 128, "chunks": 400}\n\n'


def said(events: bytes, state: str, capsys: pytest.CaptureFixture[str]) -> str:
    with server(HEAD + events) as (url, _), Client(url, None) as client:
        _Patience(client, long_s=0.0).look([Outcome("report.pdf", "id", "created", state)])
    return capsys.readouterr().err


def test_a_long_document_that_is_being_embedded_raises_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    """It says how far it is."""
    assert said(STATE + PROGRESS, "embedding", capsys) == "report.pdf is long: 128 of 400 chunks embedded.\n"


@pytest.mark.parametrize(("events", "state"), [(STATE, "embedding"), (b"", "received")])
def test_where_nothing_moves_the_alarm_is_raised(
    events: bytes, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker that reports nothing may be dead; a document that nobody has begun waits for one."""
    assert "Nothing has moved" in said(events, state, capsys)


def test_patience_lasts_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is said, and nothing asked, before."""
    with Client("http://127.0.0.1:9", None) as client:
        _Patience(client).look([Outcome("report.pdf", "id", "created", "embedding")])
    assert capsys.readouterr().err == ""


def test_a_job_that_is_watched_shows_its_chunks() -> None:
    """So that a long document is no silent wait."""
    shown: dict[str, object] = {}
    with server(HEAD + STATE + PROGRESS) as (url, _), Client(url, None) as client:
        _follow(client, "0199e1b2-c3d4-7f0e-8a7b-6c5d4e3f2a1b", shown.update)
    assert shown == {
        "description": "The job is embedding", "completed": 128, "total": 400, "note": "chunks embedded",
    }  # fmt: skip
