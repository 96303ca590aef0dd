"""When a server says that it listens."""

import socket

import uvicorn
from starlette.applications import Starlette

from knowlog.api.sharing import SharingServer


async def test_a_server_says_that_it_listens_when_it_does() -> None:
    """Whoever waits for the sentence, as a script does, is taken then."""
    reached: list[bool] = []

    def call() -> None:
        with socket.create_connection(listener.getsockname(), timeout=5):
            reached.append(server.started)
        server.should_exit = True

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = SharingServer(uvicorn.Config(Starlette(), log_config=None), None, call)
        await server.serve([listener])
    assert reached == [True]
