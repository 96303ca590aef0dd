"""Ports of this machine."""

import errno
import socket
from collections.abc import Sequence

from knowlog.kernel.errors import Misconfigured


def require_port(host: str, port: int) -> None:
    """Raise Misconfigured unless a server may listen there."""
    with taken_port(host, port):
        pass


def taken_port(host: str, port: int) -> socket.socket:
    """A socket bound there, which nobody else can bind meanwhile. Raises Misconfigured where that cannot be."""
    try:
        return _alone(host, port)
    except OSError as error:
        raise _told(error, host, port) from error


def listen(port: socket.socket, backlog: int) -> None:
    """Listen at a port that was taken. Raises Misconfigured where somebody else has begun to."""
    try:
        # Else the next start would be refused while connections of this one are closing.
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        port.listen(backlog)
    except OSError as error:
        host, number = port.getsockname()[:2]
        raise _told(error, host, number) from error


def _alone(host: str, port: int) -> socket.socket:
    try:
        return _bound(host, port)
    except (
        OSError
    ):  # perhaps connections of an earlier server are closing: then two who start now may both bind
        return _bound(host, port, (socket.SO_REUSEADDR,))


def _told(error: OSError, host: str, port: int) -> Misconfigured:
    if error.errno == errno.EADDRINUSE:
        return Misconfigured(
            f"Port {port} on {host} is taken. Stop what listens there, or choose another with --port."
        )
    if error.errno == errno.EACCES:
        return Misconfigured(f"Port {port} may not be used by this user. Choose one above 1023 with --port.")
    return Misconfigured(f"This machine cannot listen on {host}: {error.strerror}. Check KNOWLOG_API_HOST.")


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nothing listens on at this moment."""
    with _bound(host, 0) as listener:
        return int(listener.getsockname()[1])


def _bound(host: str, port: int, options: Sequence[int] = ()) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        for option in options:
            listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
