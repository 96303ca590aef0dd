"""Ports of this machine."""

import socket

import pytest

from knowlog.cli.processes import free_port, require_port
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
