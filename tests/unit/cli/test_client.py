"""A server that is away for a moment is waited for; what may be repeated is repeated, and nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from knowlog.cli.client import Client, Refused
from knowlog.cli.processes import free_port
from knowlog.kernel.errors import Misconfigured, Unavailable

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: close\r\n\r\n"
    b'{"ok":true}'
)
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CUT_OFF = b""
CROWDED = b"HTTP/1.1 429 Crowded\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
CLOSED = CROWDED.replace(b"Retry-After: 1", b"Retry-After: 60")


@contextmanager
def server(*answers: bytes, after_s: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one answer a connection; yields its address and what it was sent."""
    port, seen, stop = free_port(), [], threading.Event()

    def serve() -> None:
        stop.wait(after_s)
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(0.1)
            for answer in answers:
                while not stop.is_set():
                    try:
                        connection, _ = listener.accept()
                    except TimeoutError:
                        continue
                    with connection:
                        seen.append(connection.recv(65536))
                        connection.sendall(answer)
                    break

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}", seen
    finally:
        stop.set()
        thread.join()


def test_a_server_that_comes_up_is_waited_for() -> None:
    """Any call, since none has reached it; the person is told once."""
    told: list[str] = []
    with (
        server(ANSWER, after_s=0.6) as (url, _),
        Client(url, None, patience_s=10, waiting=told.append) as client,
    ):
        assert client.post("/v1/keys", {"name": "x"}) == {"ok": True}
    assert told == [url]


def test_a_call_that_was_cut_off_is_repeated_where_that_does_no_harm() -> None:
    """A question, and an upload that says so."""
    with server(CUT_OFF, ANSWER) as (url, seen), Client(url, None, patience_s=10) as client:
        assert client.ask("/v1/search", {"question": "?"}) == {"ok": True}
    assert len(seen) == 2


def test_a_call_that_may_have_had_its_effect_is_not_repeated() -> None:
    """A key is not made twice; the sentence does not say that no server is there."""
    with server(CUT_OFF, ANSWER) as (url, seen), Client(url, None, patience_s=10) as client:
        with pytest.raises(Unavailable, match="broke the connection off"):
            client.post("/v1/keys", {"name": "x"})
        assert len(seen) == 1


def test_a_server_that_is_not_ready_is_asked_again() -> None:
    """503 means later."""
    with server(BUSY, ANSWER) as (url, _), Client(url, None, patience_s=10) as client:
        assert client.get("/v1/collections") == {"ok": True}


def test_patience_ends_in_one_sentence() -> None:
    """It says how to start a server."""
    with (
        Client(f"http://127.0.0.1:{free_port()}", None, patience_s=0.3) as client,
        pytest.raises(Unavailable, match="knowlog up"),
    ):
        client.get("/v1/collections")


@pytest.mark.parametrize("url", ["http://", "http://a b", "http://x:99999999", "http://[::1"])
def test_what_is_no_address_is_told(url: str) -> None:
    """Exit code 2, not a traceback."""
    with pytest.raises((Misconfigured, Unavailable)), Client(url, None) as client:
        client.get("/")


def test_a_crowded_server_says_when_to_come_back() -> None:
    """429 with Retry-After: whatever the call, nothing was done, so that it is sent again then."""
    with server(CROWDED, ANSWER) as (url, seen), Client(url, None) as client:
        assert client.post("/v1/collections", {"name": "x"}) == {"ok": True}
    assert len(seen) == 2


def test_why_a_crowded_server_is_waited_for_is_told_once() -> None:
    """In the server's words, before minutes pass; to all of a client's calls together."""
    body = b'{"detail": "The disk has not enough room."}'
    full = CROWDED.replace(b"Length: 0", b"Length: %d\r\nContent-Type: application/json" % len(body)) + body
    told: list[str] = []
    with (
        server(*[full] * 4, ANSWER) as (url, _),
        Client(url, None, crowded=told.append) as client,
    ):
        assert client.post("/v1/collections", {"name": "x"}) == {"ok": True}
    assert told == ["The disk has not enough room."]


def test_a_long_pause_is_told_instead() -> None:
    """Nobody waits a minute without a word."""
    with server(CLOSED) as (url, _), Client(url, None) as client, pytest.raises(Refused):
        client.post("/v1/collections", {"name": "x"})
