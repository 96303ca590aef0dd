"""Ports of this machine."""

import errno
import socket

from knowlog.kernel.errors import Misconfigured


def require_port(host: str, port: int) -> None:
    """Raise Misconfigured unless a server may listen there."""
    with taken_port(host, port):
        pass


def taken_port(host: str, port: int) -> socket.socket:
    """A socket bound there. Raises Misconfigured where that cannot be."""
    try:
        return _bound(host, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sentence = (
                f"Port {port} on {host} is taken. Stop what listens there, or choose another with --port."
            )
        elif error.errno == errno.EACCES:
            sentence = f"Port {port} may not be used by this user. Choose one above 1023 with --port."
        else:
            sentence = f"This machine cannot listen on {host}: {error.strerror}. Check KNOWLOG_API_HOST."
        raise Misconfigured(sentence) from error


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nothing listens on at this moment."""
    with _bound(host, 0) as listener:
        return int(listener.getsockname()[1])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
