"""The addresses of names that strangers give. One tenant's slow names hold up nobody else's.

A lookup cannot be called off: whoever gives up waiting for it leaves its thread busy, for half a minute or longer where a
name server is silent. So each tenant has few of the threads, and has them until they are free.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from functools import partial
from ipaddress import ip_address
from weakref import WeakValueDictionary

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> every address of the host, as numbers."""

PATIENCE_S = 10
_THREADS = ThreadPoolExecutor(256, "names")
_EACH = 8
_ACCOUNT: ContextVar[str] = ContextVar("account", default="")
_PLACES: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()


def names_on_account_of(tenant_id: object) -> None:
    """From here on this task, and what it starts, asks for names on this tenant's account."""
    _ACCOUNT.set(str(tenant_id))


async def resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system's resolver, which also reads addresses written in decimal, octal and hexadecimal."""
    if _is_number(host):
        return [host]
    asking = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await asyncio.get_running_loop().run_in_executor(_THREADS, asking)
    return [str(entry[4][0]) for entry in found]


async def addresses_of(host: str, port: int, resolver: Resolver) -> Sequence[str]:
    """Every address of a host. Where nobody's account is known, each name has one of its own.

    Raises OSError and UnicodeError as the resolver does, TimeoutError after ten seconds.
    """
    places = _places_of(_ACCOUNT.get() or host)
    async with asyncio.timeout(PATIENCE_S):
        await places.acquire()
        asking = asyncio.ensure_future(resolver(host, port))
        asking.add_done_callback(partial(_is_over, places))
        return await asyncio.shield(asking)


def _places_of(account: str) -> asyncio.Semaphore:
    places = _PLACES.get(account)
    if places is None:
        places = _PLACES[account] = asyncio.Semaphore(_EACH)
    return places


def _is_over(places: asyncio.Semaphore, asking: asyncio.Future[Sequence[str]]) -> None:
    places.release()
    if not asking.cancelled():
        asking.exception()  # nobody may be waiting for it any more


def _is_number(host: str) -> bool:
    try:
        return bool(ip_address(host))
    except ValueError:
        return False
