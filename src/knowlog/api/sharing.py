"""A server that shares its listener with others: the one with the fewest connections takes the next."""

import asyncio
import socket
from collections.abc import Callable

import uvicorn

from knowlog.edge import ApiSettings
from knowlog.kernel.errors import Misconfigured

_WAIT_S = 0.0005
_LONGEST_WAIT_S = 0.02
"""For each connection that it has, a server leaves the next one to the others for so long."""


def nothing() -> None:
    """Nobody waits to hear that the server listens."""


def shared_listener(settings: ApiSettings) -> socket.socket | None:
    """The socket that the process was started with. Raises Misconfigured where there is none of that number."""
    if settings.listener is None:
        return None
    try:
        listener = socket.socket(fileno=settings.listener)
        listener.setblocking(False)
        listener.set_inheritable(False)  # no process that is started from here gets it
    except OSError as error:
        raise Misconfigured(
            f"KNOWLOG_API_LISTENER {settings.listener} is no socket of this process. Unset it: `knowlog up` sets it for"
            " the servers that it starts."
        ) from error
    return listener


class SharingServer(uvicorn.Server):
    """uvicorn, which also takes connections from a listener that other processes take them from too.

    uvicorn's own way, and the kernel's (SO_REUSEPORT), leave most connections of a burst to one of the processes.
    """

    def __init__(
        self, config: uvicorn.Config, shared: socket.socket | None, listens: Callable[[], None] = nothing
    ) -> None:
        super().__init__(config)
        self._shared = shared
        self._listens = listens

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and begin to take connections (uvicorn)."""
        await super().startup(sockets)
        if self._shared is not None:
            self._watch(self._shared)
        if self.started:  # not where the port was refused
            self._listens()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and end in order (uvicorn)."""
        if self._shared is not None:
            asyncio.get_running_loop().remove_reader(self._shared)
            self._shared.close()  # the other servers go on with theirs
            self._shared = None
        await super().shutdown(sockets)

    def _watch(self, shared: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(shared, self._wait, shared)

    def _wait(self, shared: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(shared)
        loop.call_later(
            min(_LONGEST_WAIT_S, _WAIT_S * len(self.server_state.connections)), self._take, shared
        )

    def _take(self, shared: socket.socket) -> None:
        if self._shared is None:
            return
        try:
            connection, _ = shared.accept()
        except OSError:  # another server was quicker, or the client has gone
            connection = None
        self._watch(shared)
        if connection is not None:
            connection.setblocking(False)
            task = asyncio.create_task(self._serve_connection(connection))
            self.server_state.tasks.add(task)
            task.add_done_callback(self.server_state.tasks.discard)

    async def _serve_connection(self, connection: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        """What uvicorn makes for a connection that it takes itself."""
        return self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
