"""The listener that a server shares with others."""

import os
import socket

import pytest

from knowlog.api.sharing import shared_listener
from knowlog.edge import ApiSettings
from knowlog.kernel.errors import Misconfigured


def test_a_number_that_is_no_socket_is_refused_with_what_to_do() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(Misconfigured, match="Unset it"):
            shared_listener(ApiSettings(listener=reading))
    finally:
        os.close(reading)
        os.close(writing)


def test_the_processes_that_a_server_starts_do_not_get_its_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        given = os.dup(listener.fileno())
        os.set_inheritable(given, True)
        shared = shared_listener(ApiSettings(listener=given))
        assert shared is not None
        with shared:
            assert not shared.get_inheritable()
