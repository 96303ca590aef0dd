"""Ports of this machine."""

import socket

import pytest

from knowlog.cli.processes import free_port, require_port
from knowlog.cli.processes.ports import listen, taken_port
from knowlog.kernel.errors import Misconfigured


def test_a_free_port_may_be_listened_on() -> None:
    """It stays free until someone takes it."""
    require_port("127.0.0.1", free_port())


def test_a_taken_port_is_named_with_what_to_do() -> None:
    """One sentence, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Misconfigured, match=rf"Port {port} on 127\.0\.0\.1 is taken.*--port"):
            require_port("127.0.0.1", port)


def test_an_address_of_another_machine_cannot_be_listened_on() -> None:
    """192.0.2.0/24 belongs to nobody (RFC 5737)."""
    with pytest.raises(Misconfigured, match="KNOWLOG_API_HOST"):
        require_port("192.0.2.1", 0)


def test_a_port_that_is_taken_but_not_listened_on_yet_is_nobody_elses() -> None:
    """Of two that start at once the second is told; the next start may be while connections are closing."""
    with taken_port("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(Misconfigured, match="is taken"):
            taken_port("127.0.0.1", port)
        listen(first, 1)
        with socket.create_connection(("127.0.0.1", port)) as asking:
            first.accept()[0].close()  # the server closes first, so that its end waits
            asking.recv(1)
    with taken_port("127.0.0.1", port) as next_one:
        listen(next_one, 1)


def test_who_comes_too_late_to_listen_is_told() -> None:
    """Both could bind while connections were closing: the second to listen gets a sentence."""
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        second.bind(first.getsockname())
        first.listen()
        with pytest.raises(Misconfigured, match="is taken"):
            listen(second, 1)
