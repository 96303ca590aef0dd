"""An address inside, in every writing: not one connection reaches a port that listens."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from itertools import count

import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from knowlog.edge import ApiSettings, checked_address, fetch, parse_url, reach_of_webhooks
from knowlog.kernel.errors import KnowlogError

INSIDE = [
    "127.0.0.1", "127.1", "127.0.1", "127.127.127.127", "0", "0.0.0.0", "2130706433", "0x7f.1", "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0177.0.0.1", "0177.0.0.0x1", "017700000001", "localhost", "LOCALHOST.", "localhost.localdomain", "ip6-localhost",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    "[fe80::1%25lo]", "[fec0::1]", "[fd00:ec2::254]", "[ff02::1]", "169.254.169.254", "0xa9fea9fe", "2852039166",
    "100.64.0.1", "100.100.100.200", "10.0.0.1", "172.16.0.1", "192.168.0.1", "224.0.0.1", "255.255.255.255",
    "①②⑦.⓪.⓪.①", "127。0。0。1", "127%2e0%2e0%2e1", "user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1\\@example.com",
    "127.0.0.1#@example.com",
]  # fmt: skip
"""Decimal, octal and hexadecimal, short forms, mapped, compatible, NAT64, 6to4, Teredo, site and link local, metadata of
clouds, carriers' and private networks, multicast, other digits and dots, user names before and behind."""


class Canary:
    """Listens on loopback, by IPv4 and IPv6, and counts who comes. It answers every request with `answer`."""

    def __init__(self) -> None:
        self.connections = 0
        self.answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count, answer, close."""
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def canary() -> AsyncIterator[Canary]:
    """A canary on one port of 127.0.0.1, 0.0.0.0 and [::1]."""
    bird = Canary()
    server = await asyncio.start_server(bird.serve, "0.0.0.0", 0)
    bird.port = server.sockets[0].getsockname()[1]
    others = [await asyncio.start_server(bird.serve, "::1", bird.port)] if socket.has_ipv6 else []
    yield bird
    for each in (server, *others):
        each.close()


def open_to(port: int) -> ApiSettings:
    """Settings under which the canary's port may be called, of public hosts: what refuses is the address."""
    return ApiSettings(fetch_ports=frozenset({port}), fetch_timeout_s=2)


@pytest.mark.parametrize("host", INSIDE)
async def test_nothing_connects_inside(canary: Canary, host: str) -> None:
    """Neither for a document by URL nor for a webhook."""
    url = f"http://{host}:{canary.port}/"
    with pytest.raises(KnowlogError):
        await fetch(url, open_to(canary.port), 1000)
    with pytest.raises(KnowlogError):
        await checked_address(parse_url(url), reach_of_webhooks(frozenset({canary.port}), frozenset()))
    assert canary.connections == 0


async def test_the_canary_does_hear(canary: Canary) -> None:
    """Where the operator lets a host be called, it is: the other tests could fail."""
    settings = ApiSettings(fetch_private_hosts=frozenset({f"localhost:{canary.port}"}))
    got = await fetch(f"http://localhost:{canary.port}/", settings, 1000)
    assert (got.content, canary.connections) == (b"secret", 1)


@pytest.mark.parametrize("host", INSIDE)
async def test_no_redirect_leads_inside(canary: Canary, host: str) -> None:
    """The outer host is called once; the place it names, never."""
    outer = Canary()
    outer.answer = (
        f"HTTP/1.1 302 Found\r\nlocation: http://{host}:{canary.port}/\r\ncontent-length: 0\r\n\r\n".encode()
    )
    async with await asyncio.start_server(outer.serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        settings = ApiSettings(
            fetch_private_hosts=frozenset({f"outer.example:{port}"}),
            fetch_ports=frozenset({canary.port}),
            fetch_timeout_s=3,
        )
        with pytest.raises(KnowlogError):
            await fetch(f"http://outer.example:{port}/", settings, 1000, _to_loopback)
    assert (outer.connections, canary.connections) == (1, 0)


async def _to_loopback(host: str, port: int) -> Sequence[str]:
    """A resolver that knows the outer host; others as the system has them."""
    if host == "outer.example":
        return ["127.0.0.1"]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


@pytest.mark.parametrize("port", [22, 25, 2375, 5432, 5672, 6379, 8484, 9092, 9200, 11211])
async def test_servers_that_are_no_web_servers_are_not_called(port: int) -> None:
    """PostgreSQL, Redis, RabbitMQ and others, of public hosts too."""
    with pytest.raises(KnowlogError, match="port"):
        await fetch(f"http://93.184.216.34:{port}/", ApiSettings(), 1000)


class Rebinding(asyncio.DatagramProtocol):
    """An attacker's DNS server: the first answer is public, those that follow are inside, each for zero seconds."""

    def __init__(self) -> None:
        self._turns = count()
        self.asked = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where to answer."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        if query.question[0].rdtype == dns.rdatatype.A:
            self.asked += 1
            address = "127.0.0.1" if next(self._turns) else "93.184.216.34"
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "A", address))
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


async def test_a_name_that_is_rebound_between_check_and_call_gains_nothing(canary: Canary) -> None:
    """The name is asked for once, and the address that was checked is the one that is called."""
    import dns.asyncresolver
    import dns.nameserver

    loop = asyncio.get_running_loop()
    transport, zone = await loop.create_datagram_endpoint(Rebinding, local_addr=("127.0.0.1", 0))
    attacker = dns.asyncresolver.Resolver(configure=False)
    attacker.nameservers = [
        dns.nameserver.Do53Nameserver("127.0.0.1", transport.get_extra_info("sockname")[1])
    ]

    async def resolver(host: str, port: int) -> Sequence[str]:
        return [each.address for each in await attacker.resolve(f"{host}.", "A")]

    for attempt in range(3):
        with pytest.raises(KnowlogError):
            await fetch(f"http://rebinding.example:{canary.port}/", open_to(canary.port), 1000, resolver)
        assert zone.asked == attempt + 1
    transport.close()
    assert canary.connections == 0


async def test_a_port_that_is_not_called_names_its_setting() -> None:
    """The operator may let it be called, as a host."""
    with pytest.raises(KnowlogError, match=r"add example\.com:8443 to KNOWLOG_WEBHOOKS_PRIVATE_HOSTS"):
        await checked_address(
            parse_url("https://example.com:8443/"), reach_of_webhooks(frozenset({443}), frozenset())
        )
